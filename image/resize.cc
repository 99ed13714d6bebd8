#include "image/resize.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "base/error.h"

namespace ebb {
namespace {

constexpr int kFractionBits = 32 - 8 - 2;  // Pillow's: a sum of products fits 32 bits with its sign
constexpr double kCubicSupport = 2;

// Keys' cubic convolution with a = -1/2.
double cubic(double x) {
  constexpr double a = -0.5;
  x = std::fabs(x);
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  if (x < 2) return (((x - 5) * x + 8) * x - 4) * a;
  return 0;
}

// The source samples [first, first + weights.size()) that make one target sample.
struct Taps {
  int first = 0;
  std::vector<int32_t> weights;  // in units of 2^-kFractionBits
};

Taps taps_around(double center, double scale, int source_size) {
  const double support = kCubicSupport * scale;
  const double low = center - support + 0.5, high = center + support + 0.5;
  const int first = std::max(0, static_cast<int>(low));
  const int end = std::min(source_size, static_cast<int>(high));
  std::vector<double> weights(static_cast<size_t>(std::max(0, end - first)));
  double sum = 0;
  for (int i = 0; i < end - first; ++i) {
    weights[i] = cubic((i + first - center + 0.5) * (1 / scale));
    sum += weights[i];
  }
  Taps taps{first, {}};
  for (const double weight : weights) {
    const double scaled = (sum != 0 ? weight / sum : weight) * (1 << kFractionBits);
    taps.weights.push_back(static_cast<int32_t>(scaled + (scaled < 0 ? -0.5 : 0.5)));
  }
  return taps;
}

// `count` samples from `begin` of an axis scaled to `full` samples.
struct Window {
  int full;
  int begin;
  int count;

  bool is_all_of(int size) const { return full == size && count == size; }
};

std::vector<Taps> make_taps(int source_size, const Window& window) {
  const double ratio = static_cast<double>(source_size) / window.full;
  const double scale = std::max(ratio, 1.0);
  std::vector<Taps> taps;
  for (int i = window.begin; i < window.begin + window.count; ++i) {
    taps.push_back(taps_around((i + 0.5) * ratio, scale, source_size));
  }
  return taps;
}

uint8_t to_byte(int32_t sum) {
  return static_cast<uint8_t>(std::clamp(sum >> kFractionBits, 0, 255));
}

// One pass: source [outer][size][inner] -> [outer][taps.size()][inner].
std::vector<uint8_t> resample(const std::vector<uint8_t>& source, size_t outer, size_t size,
                              size_t inner, const std::vector<Taps>& taps) {
  std::vector<uint8_t> target(outer * taps.size() * inner);
  std::vector<int32_t> sums(inner);
  for (size_t o = 0; o < outer; ++o) {
    for (size_t t = 0; t < taps.size(); ++t) {
      std::fill(sums.begin(), sums.end(), 1 << (kFractionBits - 1));
      const uint8_t* from = source.data() + (o * size + taps[t].first) * inner;
      for (const int32_t weight : taps[t].weights) {
        for (size_t i = 0; i < inner; ++i) sums[i] += from[i] * weight;
        from += inner;
      }
      uint8_t* to = target.data() + (o * taps.size() + t) * inner;
      std::transform(sums.begin(), sums.end(), to, to_byte);
    }
  }
  return target;
}

Image resize_window(const Image& image, const Window& columns, const Window& rows) {
  EBB_CHECK(image.channels != 4, ShapeError,
            "resize: image with alpha, expected gray or RGB. Composite it first.");
  Image result = image;
  const auto resize_columns = [&] {
    if (columns.is_all_of(result.width)) return;
    result.pixels = resample(result.pixels, result.height, result.width, result.channels,
                             make_taps(result.width, columns));
    result.width = columns.count;
  };
  const auto resize_rows = [&] {
    if (rows.is_all_of(result.height)) return;
    result.pixels = resample(result.pixels, 1, result.height,
                             static_cast<size_t>(result.width) * result.channels,
                             make_taps(result.height, rows));
    result.height = rows.count;
  };
  // Rounding to bytes between the passes makes their order visible.
  const int fewer_rows = image.height - rows.full;
  const int fewer_columns = image.width - columns.full;
  const bool rows_first = fewer_rows > 0 && fewer_rows > 2 * fewer_columns;
  if (rows_first) resize_rows();
  resize_columns();
  if (!rows_first) resize_rows();
  return result;
}

// The middle `count` of `full` samples, starting as Python's round() says: half to even.
Window middle(int full, int count) {
  return {full, static_cast<int>(std::nearbyint((full - count) / 2.0)), count};
}

}  // namespace

Image resize_bicubic(const Image& image, int width, int height) {
  return resize_window(image, {width, 0, width}, {height, 0, height});
}

Image resize_nearest(const Image& image, int width, int height) {
  Image result = make_image(width, height, image.channels);
  const auto source_of = [](int64_t i, int64_t source, int64_t target) {
    return (2 * i + 1) * source / (2 * target);  // the middle of a pixel, rounded down
  };
  uint8_t* target = result.pixels.data();
  for (int y = 0; y < height; ++y) {
    const int64_t row = source_of(y, image.height, height) * image.width;
    for (int x = 0; x < width; ++x, target += image.channels) {
      const int64_t pixel = row + source_of(x, image.width, width);
      std::copy_n(image.pixels.data() + pixel * image.channels, image.channels, target);
    }
  }
  return result;
}

Image resize_and_crop(const Image& image, int width, int height) {
  const int64_t by_width =
      int64_t{image.height} * width;  // compared at the scale of width * height
  const int64_t by_height = int64_t{image.width} * height;
  const bool fits_width = by_height <= by_width;
  // The other side covers; like torchvision, rounded down.
  const int full_width = fits_width ? width : static_cast<int>(by_height / image.height);
  const int full_height = fits_width ? static_cast<int>(by_width / image.width) : height;
  return resize_window(image, middle(full_width, width), middle(full_height, height));
}

}  // namespace ebb
