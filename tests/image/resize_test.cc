#include "image/resize.h"

#include <cmath>
#include <random>

#include "base/error.h"
#include "image/convert.h"
#include "testing/catch.h"

namespace ebb {
namespace {

Image noise(int width, int height, int channels) {
  Image image = make_image(width, height, channels);
  std::mt19937 random(static_cast<unsigned>(width * 1000 + height));
  for (uint8_t& value : image.pixels) value = static_cast<uint8_t>(random() >> 24);
  return image;
}

double level_of(const Image& image, int x, int y, int c) {
  return image.pixels[(static_cast<size_t>(y) * image.width + x) * image.channels + c];
}

// Keys' kernel with a = -1/2, written out.
double kernel(double x) {
  x = std::fabs(x);
  if (x < 1) return 1.5 * x * x * x - 2.5 * x * x + 1;
  if (x < 2) return -0.5 * x * x * x + 2.5 * x * x - 4 * x + 2;
  return 0;
}

// The weighted mean of an axis around target sample i. value(k) is source sample k.
template <typename Value>
double resampled(int source, int target, int i, const Value& value) {
  const double ratio = static_cast<double>(source) / target, scale = std::max(1.0, ratio);
  const double center = (i + 0.5) * ratio;
  double sum = 0, weights = 0;
  for (int k = 0; k < source; ++k) {
    // A sample takes part when its middle lies in the support.
    if (k + 0.5 < center - 2 * scale || k + 0.5 > center + 2 * scale) continue;
    const double weight = kernel((k + 0.5 - center) / scale);
    sum += weight * value(k);
    weights += weight;
  }
  return sum / weights;
}

double to_level(double value) { return std::floor(std::clamp(value, 0.0, 255.0) + 0.5); }

// In double precision, with 8 bits between the passes.
double reference(const Image& image, int width, int height, int x, int y, int c) {
  const auto column = [&](int row) {
    return resampled(image.width, width, x, [&](int k) { return level_of(image, k, row, c); });
  };
  const auto row = [&](int col) {
    return resampled(image.height, height, y, [&](int k) { return level_of(image, col, k, c); });
  };
  const bool rows_first =
      image.height > height && image.height - height > 2 * (image.width - width);
  return rows_first
             ? resampled(image.width, width, x, [&](int k) { return to_level(row(k)); })
             : resampled(image.height, height, y, [&](int k) { return to_level(column(k)); });
}

// Sizes whose ratios make no exact halves between the passes, which might be rounded either way.
TEST_CASE("bicubic resizing is a normalized cubic filter, antialiased when it shrinks") {
  for (const int channels : {1, 3}) {
    for (const auto& [from_width, from_height, width, height] : {std::tuple{28, 28, 28, 28},
                                                                 {40, 31, 28, 28},
                                                                 {31, 40, 28, 28},
                                                                 {32, 37, 28, 28},
                                                                 {17, 19, 28, 28},
                                                                 {1, 1, 5, 4},
                                                                 {120, 2, 28, 28},
                                                                 {300, 7, 3, 64},
                                                                 {28, 56, 28, 28}}) {
      CAPTURE(channels, from_width, from_height, width, height);
      const Image image = noise(from_width, from_height, channels);
      const Image resized = resize_bicubic(image, width, height);
      REQUIRE(resized.pixels.size() == static_cast<size_t>(width * height * channels));
      double worst = 0;
      for (int y = 0; y < height; ++y) {
        for (int x = 0; x < width; ++x) {
          for (int c = 0; c < channels; ++c) {
            const double expected =
                std::clamp(reference(image, width, height, x, y, c), 0.0, 255.0);
            worst = std::max(worst, std::fabs(level_of(resized, x, y, c) - expected));
          }
        }
      }
      // Half a level of rounding, and the coefficients' 2^-23 for each of up to 430 samples of 255.
      CHECK(worst < 0.5 + 430 * 255 / 8388608.0);
    }
  }
}

TEST_CASE("resizing keeps a plain image plain and an image of the same size as it is") {
  CHECK(resize_bicubic(make_image(50, 33, 3, 201), 28, 17) == make_image(28, 17, 3, 201));
  const Image image = noise(28, 20, 1);
  CHECK(resize_bicubic(image, 28, 20) == image);
  CHECK(resize_and_crop(image, 28, 20) == image);
  CHECK(resize_nearest(image, 28, 20) == image);
}

Image part_of(const Image& image, int left, int top, int width, int height) {
  Image part = make_image(width, height, image.channels);
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      for (int c = 0; c < image.channels; ++c) {
        part.pixels[(static_cast<size_t>(y) * width + x) * image.channels + c] =
            static_cast<uint8_t>(level_of(image, left + x, top + y, c));
      }
    }
  }
  return part;
}

TEST_CASE("cropping keeps the middle of the image whose shorter side fits") {
  // 28 * 61 / 40 = 42.7 -> 42, (42 - 28) / 2 = 7; 28 * 41 / 28 = 41, 6.5 -> 6 (half to even).
  const Image tall = noise(40, 61, 3);
  CHECK(resize_and_crop(tall, 28, 28) == part_of(resize_bicubic(tall, 28, 42), 0, 7, 28, 28));
  const Image odd = noise(28, 41, 1);
  CHECK(resize_and_crop(odd, 28, 28) == part_of(odd, 0, 6, 28, 28));
  const Image wide = noise(90, 30, 1);
  CHECK(resize_and_crop(wide, 28, 28) == part_of(resize_bicubic(wide, 84, 28), 28, 0, 28, 28));
  CHECK(resize_and_crop(wide, 20, 10) == part_of(resize_bicubic(wide, 30, 10), 5, 0, 20, 10));
  CHECK(resize_and_crop(noise(kMaxImageSide, 1, 1), 256, 256).width == 256);
}

TEST_CASE("nearest resizing takes the pixel under the middle of the new one") {
  const Image image = noise(50, 7, 3);
  for (const auto& [width, height] : {std::pair{28, 28}, {50, 3}, {1, 1}, {101, 6}}) {
    CAPTURE(width, height);
    const Image resized = resize_nearest(image, width, height);
    int wrong = 0;
    for (int y = 0; y < height; ++y) {
      for (int x = 0; x < width; ++x) {
        const int column = static_cast<int>((x + 0.5) * 50 / width);
        const int row = static_cast<int>((y + 0.5) * 7 / height);
        for (int c = 0; c < 3; ++c) {
          wrong += level_of(resized, x, y, c) != level_of(image, column, row, c);
        }
      }
    }
    CHECK(wrong == 0);
  }
}

TEST_CASE("an image with alpha is not resized, because its colors would run") {
  CHECK_THROWS_AS(resize_bicubic(make_image(4, 4, 4), 2, 2), ShapeError);
}

TEST_CASE("gray is the luma of ITU-R 601 to the nearest level, up to the weights' 16 bits") {
  const Image colors{4, 2, 3, {255, 0, 0, 0,  255, 0,  0,   0,   255, 255, 255, 255,
                               0,   0, 0, 90, 90,  90, 255, 255, 0,   10,  20,  30}};
  CHECK(to_gray(colors).pixels == std::vector<uint8_t>{76, 150, 29, 255, 0, 90, 226, 18});
  const Image random = noise(300, 100, 3);
  const Image gray = to_gray(random);
  double worst = 0;
  for (size_t i = 0; i < gray.pixels.size(); ++i) {
    const uint8_t* p = random.pixels.data() + 3 * i;
    worst = std::max(worst, std::fabs(0.299 * p[0] + 0.587 * p[1] + 0.114 * p[2] - gray.pixels[i]));
  }
  CHECK(worst < 0.505);
}

TEST_CASE("compositing weighs every level with every alpha, to the nearest level") {
  for (const int background : {0, 255, 100}) {
    int wrong = 0;
    for (int alpha = 0; alpha < 256; ++alpha) {
      Image row = make_image(256, 1, 4);
      for (int v = 0; v < 256; ++v) {
        row.pixels[4 * v] = row.pixels[4 * v + 1] = row.pixels[4 * v + 2] = static_cast<uint8_t>(v);
        row.pixels[4 * v + 3] = static_cast<uint8_t>(alpha);
      }
      const Image flat = composite(row, static_cast<uint8_t>(background));
      for (int v = 0; v < 256; ++v) {
        const double expected = (v * alpha + background * (255 - alpha)) / 255.0;
        wrong += std::fabs(flat.pixels[3 * v + 1] - expected) > 0.5;
      }
    }
    CHECK(wrong == 0);
  }
}

TEST_CASE("inverting spares alpha") {
  CHECK(invert(Image{1, 1, 4, {0, 1, 255, 7}}).pixels == std::vector<uint8_t>{255, 254, 0, 7});
  CHECK(invert(Image{2, 1, 1, {0, 200}}).pixels == std::vector<uint8_t>{255, 55});
}

TEST_CASE("pixels survive the way through floats in either range") {
  Image image = make_image(256, 1, 1);
  for (int i = 0; i < 256; ++i) image.pixels[i] = static_cast<uint8_t>(i);
  for (const DataRange range : {DataRange::kZeroToOne, DataRange::kMinusOneToOne}) {
    const std::vector<float> values = image_to_floats(image, range);
    CHECK(values[0] == (range == DataRange::kZeroToOne ? 0.0f : -1.0f));
    CHECK(values[255] == 1.0f);
    CHECK(image_from_floats(values, 256, 1, 1, range) == image);
  }
}

}  // namespace
}  // namespace ebb
