#include "apps/emoji/emoji_styles.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <vector>

#include "apps/emoji/emoji_font.h"
#include "base/error.h"
#include "image/resize.h"

namespace ebb {
namespace {

using Color = std::array<int, 3>;

uint8_t to_byte(int value) { return static_cast<uint8_t>(std::clamp(value, 0, 255)); }

// Equal bits on every machine: splitmix64 (Steele, Lea, Flood 2014).
uint64_t hash(uint64_t x) {
  x += 0x9E3779B97F4A7C15;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EB;
  return x ^ (x >> 31);
}

int noise(int x, int y, uint64_t variant, int amplitude) {
  const uint64_t bits = hash(variant ^ (static_cast<uint64_t>(x) << 32) ^ static_cast<uint64_t>(y));
  return static_cast<int>(bits % static_cast<uint64_t>(2 * amplitude + 1)) - amplitude;
}

const uint8_t* at(const Image& image, int x, int y) {
  return image.pixels.data() +
         (static_cast<size_t>(y) * image.width + x) * static_cast<size_t>(image.channels);
}
uint8_t* at(Image& image, int x, int y) {
  return image.pixels.data() +
         (static_cast<size_t>(y) * image.width + x) * static_cast<size_t>(image.channels);
}

// Rec. 601, in 1/256.
int luma(const uint8_t* rgb) { return (77 * rgb[0] + 150 * rgb[1] + 29 * rgb[2] + 128) >> 8; }

// Over a ground that goes from `top` to `bottom`.
Image over(const Image& emoji, const Color& top, const Color& bottom) {
  Image result = make_image(emoji.width, emoji.height, 3);
  for (int y = 0; y < emoji.height; ++y) {
    for (int x = 0; x < emoji.width; ++x) {
      const uint8_t* pixel = at(emoji, x, y);
      for (int c = 0; c < 3; ++c) {
        const int ground =
            (top[c] * (emoji.height - 1 - y) + bottom[c] * y) / std::max(1, emoji.height - 1);
        at(result, x, y)[c] =
            to_byte((pixel[c] * pixel[3] + ground * (255 - pixel[3]) + 127) / 255);
      }
    }
  }
  return result;
}

// The mean of the quadrant around a pixel whose brightness varies least.
Color kuwahara_at(const Image& image, int x, int y, int radius) {
  Color best{};
  int64_t least = -1;
  for (const int dx : {-radius, 0}) {
    for (const int dy : {-radius, 0}) {
      int64_t count = 0, sum = 0, squares = 0;
      std::array<int64_t, 3> colors{};
      for (int v = std::max(0, y + dy); v <= std::min(image.height - 1, y + dy + radius); ++v) {
        for (int u = std::max(0, x + dx); u <= std::min(image.width - 1, x + dx + radius); ++u) {
          const uint8_t* pixel = at(image, u, v);
          const int64_t light = luma(pixel);
          ++count;
          sum += light;
          squares += light * light;
          for (size_t c = 0; c < 3; ++c) colors[c] += pixel[c];
        }
      }
      const int64_t variance = (squares * count - sum * sum) * 1000 / (count * count);
      if (least >= 0 && variance >= least) continue;
      least = variance;
      for (size_t c = 0; c < 3; ++c) best[c] = static_cast<int>((colors[c] + count / 2) / count);
    }
  }
  return best;
}

Image kuwahara(const Image& image, int radius) {
  Image result = make_image(image.width, image.height, 3);
  for (int y = 0; y < image.height; ++y) {
    for (int x = 0; x < image.width; ++x) {
      const Color color = kuwahara_at(image, x, y, radius);
      for (int c = 0; c < 3; ++c) at(result, x, y)[c] = to_byte(color[c]);
    }
  }
  return result;
}

// Twice as large while filters run, so that they leave no steps.
constexpr int kOversampling = 2;

constexpr std::array<std::array<Color, 2>, 6> kOilGrounds = {{
    {{{196, 164, 116}, {132, 96, 62}}},
    {{{150, 168, 176}, {98, 112, 124}}},
    {{{176, 172, 128}, {112, 116, 76}}},
    {{{200, 148, 120}, {134, 84, 70}}},
    {{{104, 92, 84}, {60, 50, 48}}},
    {{{214, 196, 160}, {170, 142, 104}}},
}};

Image oil_painting(const Image& emoji, int side, uint64_t variant) {
  const auto& ground = kOilGrounds[variant % kOilGrounds.size()];
  const int large = kOversampling * side;
  Image image = over(resize_rgba(emoji, large, large), ground[0], ground[1]);
  constexpr int kBrush = 8, kGrain = 14;  // pixels a streak, levels of brightness
  for (int y = 0; y < large; ++y) {
    for (int x = 0; x < large; ++x) {
      const int streak = noise((x + y) / 3, (x - y + 4 * large) / kBrush, variant, kGrain);
      for (int c = 0; c < 3; ++c) at(image, x, y)[c] = to_byte(at(image, x, y)[c] + streak);
    }
  }
  constexpr int kRadius = 5;
  image = resize_bicubic(kuwahara(image, kRadius), side, side);
  constexpr int kRich = 300;  // saturation, in 1/256
  constexpr int kWeave = 8;   // depth of the canvas, whose threads are two pixels wide
  for (int y = 0; y < side; ++y) {
    for (int x = 0; x < side; ++x) {
      uint8_t* pixel = at(image, x, y);
      const int light = luma(pixel);
      const int thread = (x / 2 + y / 2) % 2 == 0 ? kWeave : -kWeave;
      for (int c = 0; c < 3; ++c) {
        pixel[c] = to_byte(light + (pixel[c] - light) * kRich / 256 + thread);
      }
    }
  }
  return image;
}

// Change of brightness or of alpha, the larger, around a pixel: Sobel's sum of both directions.
std::vector<int> outlines(const Image& emoji, const Image& flat) {
  std::vector<int> strength(static_cast<size_t>(flat.width) * flat.height);
  const auto sobel = [&](int x, int y, const auto& value) {
    const auto v = [&](int dx, int dy) {
      return value(std::clamp(x + dx, 0, flat.width - 1), std::clamp(y + dy, 0, flat.height - 1));
    };
    const int gx = v(1, -1) + 2 * v(1, 0) + v(1, 1) - v(-1, -1) - 2 * v(-1, 0) - v(-1, 1);
    const int gy = v(-1, 1) + 2 * v(0, 1) + v(1, 1) - v(-1, -1) - 2 * v(0, -1) - v(1, -1);
    return std::abs(gx) + std::abs(gy);
  };
  for (int y = 0; y < flat.height; ++y) {
    for (int x = 0; x < flat.width; ++x) {
      const int light = sobel(x, y, [&](int u, int w) { return luma(at(flat, u, w)); });
      const int alpha = sobel(x, y, [&](int u, int w) { return int{at(emoji, u, w)[3]}; });
      strength[static_cast<size_t>(y) * flat.width + x] = std::max(light, alpha);
    }
  }
  return strength;
}

Image lithograph(const Image& emoji, int side, uint64_t variant) {
  constexpr Color kPaper = {236, 226, 202}, kInk = {38, 34, 36}, kWhite = {255, 255, 255};
  constexpr int kScreen = 6;  // pixels between dots of the enlarged image, along a diagonal
  constexpr int kEdge = 330;
  const int large = kOversampling * side;
  const Image big = resize_rgba(emoji, large, large);
  const Image flat = over(big, kWhite, kWhite);
  const std::vector<int> edges = outlines(big, flat);
  Image image = make_image(large, large, 3);
  for (int y = 0; y < large; ++y) {
    for (int x = 0; x < large; ++x) {
      const int light = luma(at(flat, x, y));
      // Distance from the middle of the cell, in a screen turned by 45 degrees.
      const int u = (x + y) % kScreen * 2 - kScreen + 1;
      const int v = (x - y + kScreen * large) % kScreen * 2 - kScreen + 1;
      const int threshold = (u * u + v * v) * 255 / (2 * (kScreen - 1) * (kScreen - 1));
      const int dark = 255 - light;
      const bool is_edge = edges[static_cast<size_t>(y) * large + x] > kEdge;
      const bool inks = is_edge || dark * 5 / 4 - 24 > threshold;
      for (int c = 0; c < 3; ++c) {
        const int paper = kPaper[c] + noise(x / 2, y / 2, variant, 5);
        at(image, x, y)[c] = to_byte(inks ? kInk[c] : paper);
      }
    }
  }
  return resize_bicubic(image, side, side);
}

Image pencil_sketch(const Image& emoji, int side, uint64_t variant) {
  constexpr Color kWhite = {255, 255, 255};
  constexpr int kPaper = 250, kLead = 70;
  constexpr int kStroke = 8;  // pixels between strokes of the enlarged image
  const int large = kOversampling * side;
  const Image big = resize_rgba(emoji, large, large);
  const Image flat = over(big, kWhite, kWhite);
  const std::vector<int> edges = outlines(big, flat);
  Image image = make_image(large, large, 1);
  for (int y = 0; y < large; ++y) {
    for (int x = 0; x < large; ++x) {
      const int dark = 255 - luma(at(flat, x, y));
      int ink = std::min(kPaper - kLead, edges[static_cast<size_t>(y) * large + x] / 3);
      const bool first = (x + y) % kStroke < 2, second = (x - y + kStroke * large) % kStroke < 2;
      if (dark > 60 && first) ink = std::max(ink, 40 + dark / 3);
      if (dark > 140 && second) ink = std::max(ink, 40 + dark / 3);
      ink = std::max(ink, dark / 8);
      *at(image, x, y) = to_byte(kPaper - ink + noise(x, y, variant, 6));
    }
  }
  return to_rgb(resize_bicubic(image, side, side));
}

Image pixel_art(const Image& emoji, int side) {
  constexpr int kPixels = 16, kLevels = 7;  // steps between 0 and 255
  constexpr int kSolid = 112;               // alpha from which a pixel is there
  Image small = resize_rgba(emoji, kPixels, kPixels);
  for (size_t p = 0; p < small.pixels.size(); p += 4) {
    const bool solid = small.pixels[p + 3] >= kSolid;
    for (size_t c = 0; c < 3; ++c) {
      const int level = (small.pixels[p + c] * kLevels + 127) / 255;
      small.pixels[p + c] = to_byte(solid ? level * 255 / kLevels : 0);
    }
    small.pixels[p + 3] = solid ? 255 : 0;
  }
  return resize_nearest(small, side, side);
}

}  // namespace

Image draw_in_style(const Image& emoji, std::string_view style, int side, uint64_t variant) {
  EBB_CHECK(emoji.channels == 4 && emoji.width == emoji.height, ShapeError,
            "emoji: ", emoji.channels, " channels, expected a square one with alpha");
  if (style == "photo") return resize_rgba(emoji, side, side);
  if (style == "oil painting") return oil_painting(emoji, side, variant);
  if (style == "lithograph") return lithograph(emoji, side, variant);
  if (style == "pencil sketch") return pencil_sketch(emoji, side, variant);
  EBB_CHECK(style == "pixel art", Error, "no style ", style);
  return pixel_art(emoji, side);
}

}  // namespace ebb
