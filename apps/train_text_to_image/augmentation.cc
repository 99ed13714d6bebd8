#include "apps/train_text_to_image/augmentation.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include "base/error.h"
#include "kernels/random/philox.h"

namespace ebb {
namespace {

using Color = std::array<double, 3>;  // 0..255

// Uniform numbers of one example, in order.
class Draws {
 public:
  Draws(uint64_t seed, uint64_t example) : seed_(seed), example_(example) {}

  double uniform() {
    if (used_ % 4 == 0)
      words_ = random_words(seed_, RandomStream::kAugment, example_, 0, used_ / 4);
    return double{uniform_from_word(words_.w[used_++ % 4])};
  }
  double within(double limit) { return (2 * uniform() - 1) * limit; }

 private:
  uint64_t seed_, example_;
  uint32_t used_ = 0;
  PhiloxWords words_{};
};

// Output places, of [-1/2, 1/2] in both directions, in the source.
struct Placement {
  double cosine, sine, shift_x, shift_y;  // the rotation with the scale

  Placement(Draws& draws, const Augmentation& ranges) {
    shift_x = draws.within(ranges.max_shift);
    shift_y = draws.within(ranges.max_shift);
    const double scale = std::pow(1 + ranges.max_scale, draws.within(1));
    const double angle = draws.within(ranges.max_rotation) * std::numbers::pi / 180;
    cosine = std::cos(angle) / scale;
    sine = std::sin(angle) / scale;
  }
};

struct Background {
  Color first{255, 255, 255}, second{255, 255, 255};
  double x = 0, y = 0;  // direction from the first color to the second

  Background(Draws& draws, bool random) {
    constexpr double kLeast = 150;  // light enough for dark outlines
    const bool is_white = draws.uniform() < 0.5 || !random, is_plain = draws.uniform() < 0.5;
    if (is_white) return;
    for (double& part : first) part = kLeast + draws.uniform() * (255 - kLeast);
    for (double& part : second) part = kLeast + draws.uniform() * (255 - kLeast);
    if (is_plain) second = first;
    const double angle = 2 * std::numbers::pi * draws.uniform();
    x = std::cos(angle);
    y = std::sin(angle);
  }

  double at(size_t channel, double px, double py) const {
    const double share = std::clamp(0.5 + x * px + y * py, 0.0, 1.0);
    return (1 - share) * first[channel] + share * second[channel];
  }
};

// Bilinear, colors weighted by alpha: [r, g, b, alpha] with alpha in 0..1 and colors times that.
std::array<double, 4> sample(const Image& image, double x, double y) {
  std::array<double, 4> sum{};
  const double left = std::floor(x), top = std::floor(y);
  for (int corner = 0; corner < 4; ++corner) {
    const int right = corner % 2, down = corner / 2;
    const double column = left + right, row = top + down;
    const double weight = (1 - std::fabs(x - column)) * (1 - std::fabs(y - row));
    const bool is_inside = column >= 0 && row >= 0 && column < image.width && row < image.height;
    if (image.channels == 4 && !is_inside) continue;
    const auto i = static_cast<size_t>(std::clamp<double>(row, 0, image.height - 1));
    const auto j = static_cast<size_t>(std::clamp<double>(column, 0, image.width - 1));
    const size_t width = static_cast<size_t>(image.width), c = static_cast<size_t>(image.channels);
    const uint8_t* pixel = image.pixels.data() + (i * width + j) * c;
    const double alpha = weight * (image.channels == 4 ? pixel[3] / 255.0 : 1.0);
    for (size_t channel = 0; channel < 3; ++channel) sum[channel] += alpha * pixel[channel];
    sum[3] += alpha;
  }
  return sum;
}

}  // namespace

void augment(const Image& image, int side, const Augmentation& ranges, uint64_t seed,
             uint64_t example, std::span<float> to) {
  EBB_CHECK(image.width == image.height && image.width % side == 0 && image.channels >= 3, Error,
            "augment: image ", image.width, " x ", image.height, " for side ", side);
  Draws draws(seed, example);
  const Placement placement(draws, ranges);
  const Background background(draws, ranges.backgrounds);
  const int parts = image.width / side;  // samples of a pixel in each direction
  size_t at = 0;
  for (int p = 0; p < side * side; ++p) {
    const int row = p / side, column = p % side;
    std::array<double, 4> sum{};
    for (int part = 0; part < parts * parts; ++part) {
      const int down = part / parts, across = part % parts;
      const double x = (column * parts + across + 0.5) / image.width - 0.5;
      const double y = (row * parts + down + 0.5) / image.width - 0.5;
      const double dx = x - placement.shift_x, dy = y - placement.shift_y;
      const double u = placement.cosine * dx + placement.sine * dy;
      const double v = placement.cosine * dy - placement.sine * dx;
      const std::array<double, 4> found =
          sample(image, (u + 0.5) * image.width - 0.5, (v + 0.5) * image.width - 0.5);
      for (size_t k = 0; k < 4; ++k) sum[k] += found[k] / (parts * parts);
    }
    const double x = (column + 0.5) / side - 0.5, y = (row + 0.5) / side - 0.5;
    for (size_t channel = 0; channel < 3; ++channel) {
      const double value = sum[channel] + (1 - sum[3]) * background.at(channel, x, y);
      const double level = std::clamp(std::round(value), 0.0, 255.0);
      to[at++] = static_cast<float>(2 * level / 255 - 1);
    }
  }
}

}  // namespace ebb
