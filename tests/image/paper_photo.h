#pragma once

#include <cmath>
#include <cstdint>
#include <numbers>

#include "image/canvas.h"
#include "image/convert.h"

namespace ebb::test {

// A digit drawn on cream paper, photographed in bad light.
struct PaperPhoto {
  int width = 4000, height = 3000;
  double size = 0.45;            // height of the digit as a part of the photo's height
  double left = 0.5, top = 0.5;  // center of the digit, parts of the photo
  double line = 11;              // width of the stroke, pixels
  double darkness = 0.4;         // of the pencil: 1 is black
  double tilt = 0.1;             // of the digit, radians
  double gradient = 0.45;        // light lost from one corner to the other
  double shadow = 0.25;          // light lost in the shadow of a hand, whose edge is soft
  double noise = 9;              // half the range of the sensor's noise, levels
  double grain = 0.6;  // share of the pencil's line that the paper's grain leaves bare, at most
};

// The stroke of a 3, 7 or 8 in a box from (-0.3, -0.5) to (0.3, 0.5).
inline void trace_digit(cairo_t* cairo, int digit) {
  constexpr double kTurn = 2 * std::numbers::pi;
  if (digit == 7) {
    cairo_move_to(cairo, -0.28, -0.47);
    cairo_line_to(cairo, 0.27, -0.45);
    cairo_curve_to(cairo, 0.12, -0.15, 0.0, 0.1, -0.08, 0.5);
  } else if (digit == 3) {
    cairo_move_to(cairo, -0.25, -0.38);
    cairo_curve_to(cairo, -0.05, -0.6, 0.36, -0.48, 0.24, -0.2);
    cairo_curve_to(cairo, 0.18, -0.06, 0.05, -0.02, -0.06, -0.03);
    cairo_curve_to(cairo, 0.2, -0.05, 0.36, 0.15, 0.24, 0.33);
    cairo_curve_to(cairo, 0.1, 0.56, -0.18, 0.52, -0.28, 0.36);
  } else {
    cairo_save(cairo);
    cairo_translate(cairo, 0, -0.26);
    cairo_scale(cairo, 0.2, 0.23);
    cairo_arc(cairo, 0, 0, 1, 0, kTurn);
    cairo_restore(cairo);
    cairo_new_sub_path(cairo);
    cairo_save(cairo);
    cairo_translate(cairo, 0, 0.23);
    cairo_scale(cairo, 0.25, 0.27);
    cairo_arc(cairo, 0, 0, 1, 0, kTurn);
    cairo_restore(cairo);
  }
}

// Uniform in -1..1, a function of the pixel and the purpose.
inline double pixel_noise(uint32_t x, uint32_t y, uint32_t purpose) {
  uint32_t hash = x * 0x9E3779B1u ^ y * 0x85EBCA77u ^ purpose * 0xC2B2AE3Du;
  hash = (hash ^ hash >> 15) * 0x2C1B3C6Du;
  hash = (hash ^ hash >> 12) * 0x297A2D39u;
  return static_cast<double>(hash ^ hash >> 15) / 2147483648.0 - 1;
}

inline Image photograph_digit(int digit, const PaperPhoto& photo = {}) {
  Canvas canvas(photo.width, photo.height);
  cairo_t* cairo = canvas.context();
  cairo_translate(cairo, photo.left * photo.width, photo.top * photo.height);
  cairo_rotate(cairo, photo.tilt);
  cairo_save(cairo);
  cairo_scale(cairo, photo.size * photo.height, photo.size * photo.height);
  trace_digit(cairo, digit);
  cairo_restore(cairo);
  cairo_set_line_width(cairo, photo.line);
  cairo_set_line_cap(cairo, CAIRO_LINE_CAP_ROUND);
  canvas.set_color({0, 0, 0});
  cairo_stroke(cairo);
  const Image strokes = to_gray(canvas.image());

  constexpr double kCream[] = {246, 238, 214};
  Image image = make_image(photo.width, photo.height, 3);
  uint8_t* target = image.pixels.data();
  for (int y = 0; y < photo.height; ++y) {
    for (int x = 0; x < photo.width; ++x) {
      const double across = static_cast<double>(x) / photo.width;
      const double down = static_cast<double>(y) / photo.height;
      const double edge = (0.9 * across + down - 1.15) / 0.12;  // of the shadow, from corner on
      const double light = (1 - photo.gradient * (0.7 * across + 0.3 * (1 - down))) *
                           (1 - photo.shadow / (1 + std::exp(-edge)));
      const auto ux = static_cast<uint32_t>(x), uy = static_cast<uint32_t>(y);
      const double bare = photo.grain * (0.5 + 0.5 * pixel_noise(ux / 3, uy / 3, 1));
      const double ink = (1 - strokes.pixels[static_cast<size_t>(y) * photo.width + x] / 255.0) *
                         photo.darkness * (1 - bare);
      for (uint32_t c = 0; c < 3; ++c) {
        const double level =
            kCream[c] * light * (1 - ink) + photo.noise * pixel_noise(ux, uy, 2 + c);
        *target++ = static_cast<uint8_t>(std::lround(std::min(255.0, std::max(0.0, level))));
      }
    }
  }
  return image;
}

}  // namespace ebb::test
