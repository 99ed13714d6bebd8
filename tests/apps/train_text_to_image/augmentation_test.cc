#include "apps/train_text_to_image/augmentation.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "testing/catch.h"

namespace ebb {
namespace {

constexpr Augmentation kStill{0, 0, 0, false};

// A square of `inside` on the left half, `outside` on the right.
Image halves(int side, int channels, uint8_t inside, uint8_t outside) {
  Image image = make_image(side, side, channels, outside);
  for (int i = 0; i < side; ++i) {
    for (int j = 0; j < side / 2; ++j) {
      const std::ptrdiff_t at = std::ptrdiff_t{i * side + j} * channels;
      std::fill_n(image.pixels.begin() + at, channels, inside);
    }
  }
  return image;
}

std::vector<float> augmented(const Image& image, int side, const Augmentation& ranges,
                             uint64_t seed = 1, uint64_t example = 2) {
  std::vector<float> values(static_cast<size_t>(side) * side * 3, 9.0f);
  augment(image, side, ranges, seed, example, values);
  return values;
}

TEST_CASE("an image that is not changed stays what it is, in [-1, 1]", "[train]") {
  const Image image = halves(8, 3, 255, 51);
  const std::vector<float> values = augmented(image, 8, kStill);
  for (size_t i = 0; i < values.size(); ++i) {
    CHECK(values[i] == Approx(2 * image.pixels[i] / 255.0 - 1).margin(1e-6));
  }
  const std::vector<float> smaller = augmented(image, 4, kStill);
  CHECK(smaller.front() == 1.0f);
  CHECK(smaller[9] == Approx(2 * 51 / 255.0 - 1).margin(1e-6));
}

TEST_CASE("what is transparent shows the background, white or light colors", "[train]") {
  Image image = halves(8, 4, 0, 0);  // black where it is visible
  for (size_t p = 0; p < 64; ++p) image.pixels[4 * p + 3] = p % 8 < 4 ? 255 : 0;
  const std::vector<float> white = augmented(image, 8, kStill);
  CHECK(white[0] == -1.0f);
  CHECK(white[3 * 7] == 1.0f);
  Augmentation backgrounds = kStill;
  backgrounds.backgrounds = true;
  int whites = 0;
  for (uint64_t example = 0; example < 100; ++example) {
    const std::vector<float> values = augmented(image, 8, backgrounds, 1, example);
    const bool is_white = std::all_of(values.begin() + 3 * 4, values.begin() + 3 * 8,
                                      [](float value) { return value == 1.0f; });
    whites += is_white ? 1 : 0;
    CHECK(values[0] == -1.0f);
    CHECK(*std::min_element(values.begin() + 3 * 4, values.begin() + 3 * 8) > 0.17f);
  }
  CHECK(whites > 35);
  CHECK(whites < 65);
}

TEST_CASE("augmentation is a function of seed and example, and stays in its ranges", "[train]") {
  const Image image = halves(32, 3, 255, 0);
  const Augmentation shifts{0.125, 0, 0, false};
  bool left = false, right = false;
  for (uint64_t example = 0; example < 50; ++example) {
    const std::vector<float> values = augmented(image, 32, shifts, 3, example);
    CHECK(values == augmented(image, 32, shifts, 3, example));
    // The edge is at 16 and moves by at most 4 pixels.
    CHECK(values[3 * 11] == 1.0f);
    CHECK(values[3 * 20] == -1.0f);
    left |= values[3 * 14] < 0;
    right |= values[3 * 18] > 0;
  }
  CHECK(left);
  CHECK(right);
  CHECK(augmented(image, 32, shifts, 3, 1) != augmented(image, 32, shifts, 4, 1));
  // A quarter turn at most: the middle of the left side stays, the upper right corner may change.
  const Augmentation turns{0, 0, 30, false};
  for (uint64_t example = 0; example < 20; ++example) {
    CHECK(augmented(image, 32, turns, 3, example)[3 * (16 * 32 + 2)] == 1.0f);
  }
}

}  // namespace
}  // namespace ebb
