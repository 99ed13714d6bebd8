#include "image/test_scenes.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <numbers>
#include <vector>

#include "image/test_images.h"

namespace ebb {
namespace {

struct Stop {
  double at;  // 0 to 1
  Color color;
};

using Pattern = std::unique_ptr<cairo_pattern_t, decltype(&cairo_pattern_destroy)>;

void fill(cairo_t* c, Pattern pattern, const std::vector<Stop>& stops) {
  for (const Stop& stop : stops) {
    cairo_pattern_add_color_stop_rgb(pattern.get(), stop.at, stop.color.red, stop.color.green,
                                     stop.color.blue);
  }
  cairo_set_source(c, pattern.get());
  cairo_fill(c);
}

void fill_vertically(cairo_t* c, double top, double bottom, const std::vector<Stop>& stops) {
  fill(c, Pattern(cairo_pattern_create_linear(0, top, 0, bottom), cairo_pattern_destroy), stops);
}

void fill_across(cairo_t* c, double left, double right, const std::vector<Stop>& stops) {
  fill(c, Pattern(cairo_pattern_create_linear(left, 0, right, 0), cairo_pattern_destroy), stops);
}

// A lit ball: the light comes from the upper left.
void fill_ball(cairo_t* c, double x, double y, double radius, const std::vector<Stop>& stops) {
  cairo_arc(c, x, y, radius, 0, 2 * std::numbers::pi);
  fill(c,
       Pattern(cairo_pattern_create_radial(x - radius * 0.35, y - radius * 0.4, radius * 0.1, x, y,
                                           radius),
               cairo_pattern_destroy),
       stops);
}

void dot(Canvas& canvas, double x, double y, double radius, Color color) {
  canvas.set_color(color);
  cairo_arc(canvas.context(), x, y, radius, 0, 2 * std::numbers::pi);
  cairo_fill(canvas.context());
}

void polygon(cairo_t* c, const std::vector<std::pair<double, double>>& corners) {
  for (const auto& [x, y] : corners) cairo_line_to(c, x, y);
  cairo_close_path(c);
}

void fill_background(cairo_t* c, const std::vector<Stop>& stops) {
  cairo_rectangle(c, 0, 0, kTestImageSide, kTestImageSide);
  fill_vertically(c, 0, kTestImageSide, stops);
}

// Four bits of a place, spread evenly over 0 to 255.
uint32_t hash(uint32_t x, uint32_t y) {
  uint32_t h = x * 0x9E3779B1u ^ (y + 0x7F4A7C15u) * 0x85EBCA77u;
  h ^= h >> 15;
  h *= 0xC2B2AE3Du;
  return h >> 24;
}

}  // namespace

void draw_tower(Canvas& canvas) {
  cairo_t* c = canvas.context();
  fill_background(c, {{0, {0.03, 0.05, 0.13}}, {0.6, {0.10, 0.12, 0.24}}, {1, {0.27, 0.17, 0.20}}});
  cairo_move_to(c, 0, 226);
  cairo_curve_to(c, 60, 206, 110, 232, 160, 216);
  cairo_curve_to(c, 200, 206, 230, 214, 256, 220);
  polygon(c, {{256, 256}, {0, 256}});
  fill_vertically(c, 206, 256, {{0, {0.05, 0.08, 0.07}}, {1, {0.02, 0.03, 0.03}}});

  const std::vector<Stop> stone = {
      {0, {0.99, 0.93, 0.80}}, {0.45, {0.93, 0.85, 0.70}}, {1, {0.55, 0.47, 0.42}}};
  polygon(c, {{112, 84}, {146, 84}, {149, 228}, {109, 228}});  // shaft
  fill_across(c, 108, 150, stone);
  cairo_rectangle(c, 107, 60, 44, 26);  // belfry
  fill_across(c, 107, 151, stone);
  polygon(c, {{104, 60}, {129, 22}, {154, 60}});  // roof
  fill_across(c, 104, 154, {{0, {0.90, 0.90, 0.84}}, {1, {0.42, 0.44, 0.46}}});

  canvas.set_color({0.25, 0.19, 0.17});
  for (const double x : {114.0, 125.5, 137.0}) cairo_rectangle(c, x, 65, 7, 17);
  cairo_fill(c);
  dot(canvas, 129, 104, 10, {0.98, 0.96, 0.88});  // clock
  canvas.set_color({0.2, 0.17, 0.16});
  cairo_set_line_width(c, 2);
  cairo_move_to(c, 129, 97);
  cairo_line_to(c, 129, 104);
  cairo_line_to(c, 134, 107);
  cairo_stroke(c);
  canvas.set_color({0.45, 0.38, 0.33}, 0.6);
  for (const double y : {128.0, 158.0, 188.0}) cairo_rectangle(c, 127, y, 5, 14);
  cairo_fill(c);
}

void draw_snowman(Canvas& canvas) {
  cairo_t* c = canvas.context();
  fill_background(c,
                  {{0, {0.04, 0.06, 0.12}}, {0.75, {0.10, 0.14, 0.22}}, {1, {0.16, 0.19, 0.25}}});
  cairo_move_to(c, 0, 222);
  cairo_curve_to(c, 80, 206, 170, 210, 256, 224);
  polygon(c, {{256, 256}, {0, 256}});
  fill_vertically(c, 206, 256, {{0, {0.24, 0.28, 0.36}}, {1, {0.12, 0.14, 0.19}}});
  for (uint32_t flake = 0; flake < 46; ++flake) {
    dot(canvas, hash(flake, 1), hash(flake, 2) * 0.8, 0.8 + hash(flake, 3) / 400.0,
        {0.55, 0.60, 0.68});
  }
  const std::vector<Stop> snow = {
      {0, {1, 1, 1}}, {0.55, {0.90, 0.93, 0.97}}, {1, {0.48, 0.55, 0.68}}};
  fill_ball(c, 128, 172, 58, snow);
  fill_ball(c, 128, 84, 42, snow);
  const Color coal{0.10, 0.10, 0.12};
  for (const double x : {114.0, 142.0}) dot(canvas, x, 74, 5, coal);
  for (const double y : {142.0, 164.0, 186.0}) dot(canvas, 128, y, 4, coal);
  canvas.set_color({0.93, 0.48, 0.13});
  polygon(c, {{126, 82}, {127, 92}, {152, 90}});
  cairo_fill(c);
}

void draw_swan(Canvas& canvas) {
  cairo_t* c = canvas.context();
  fill_background(c,
                  {{0, {0.05, 0.10, 0.13}}, {0.62, {0.07, 0.14, 0.17}}, {1, {0.02, 0.05, 0.07}}});
  cairo_set_line_cap(c, CAIRO_LINE_CAP_ROUND);
  canvas.set_color({0.25, 0.36, 0.40}, 0.5);
  cairo_set_line_width(c, 1.5);
  for (uint32_t ripple = 0; ripple < 26; ++ripple) {
    const double x = hash(ripple, 5), y = 216 + hash(ripple, 6) * 0.14;
    cairo_move_to(c, x - 14, y);
    cairo_line_to(c, x + 14, y);
  }
  cairo_stroke(c);

  const std::vector<Stop> feathers = {
      {0, {1, 1, 1}}, {0.6, {0.94, 0.94, 0.92}}, {1, {0.60, 0.66, 0.70}}};
  cairo_move_to(c, 70, 196);  // body with raised tail
  cairo_curve_to(c, 90, 150, 150, 158, 176, 172);
  cairo_curve_to(c, 194, 180, 206, 168, 214, 156);
  cairo_curve_to(c, 216, 186, 196, 214, 150, 216);
  cairo_curve_to(c, 108, 218, 70, 214, 70, 196);
  fill_vertically(c, 150, 218, feathers);
  cairo_move_to(c, 84, 92);  // neck: the bow of a 2
  cairo_curve_to(c, 82, 44, 152, 38, 150, 84);
  cairo_curve_to(c, 148, 122, 96, 150, 86, 196);
  cairo_set_line_width(c, 22);
  canvas.set_color({0.96, 0.96, 0.94});
  cairo_stroke(c);
  dot(canvas, 86, 86, 16, {0.97, 0.97, 0.95});
  canvas.set_color({0.92, 0.50, 0.12});
  polygon(c, {{74, 84}, {48, 102}, {78, 100}});
  cairo_fill(c);
  dot(canvas, 84, 82, 3, {0.08, 0.08, 0.08});
}

Image develop(Image photo) {
  constexpr double kGrain = 9;  // gray levels, peak
  const double center = (kTestImageSide - 1) / 2.0;
  for (int y = 0; y < photo.height; ++y) {
    for (int x = 0; x < photo.width; ++x) {
      const double distance = std::hypot(x - center, y - center) / center;
      const double light = 1 - 0.12 * distance * distance;
      const double grain =
          (hash(static_cast<uint32_t>(x), static_cast<uint32_t>(y)) / 127.5 - 1) * kGrain;
      for (int channel = 0; channel < photo.channels; ++channel) {
        uint8_t& value =
            photo.pixels[(static_cast<size_t>(y) * photo.width + x) * photo.channels + channel];
        value = static_cast<uint8_t>(std::clamp(std::lround(value * light + grain), 0L, 255L));
      }
    }
  }
  return photo;
}

}  // namespace ebb
