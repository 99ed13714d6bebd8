#include "kernels/sampling/digit_batch.h"

#include <cmath>

#include "base/kernel_stream.h"
#include "kernels/cpu/parallel.h"
#include "kernels/random/philox.h"

namespace ebb::cpu {
namespace {

// Source coordinates of output pixels: source = R (pixel - center - shift) + center.
struct Move {
  float cosine, sine;
  float dx, dy;
};

float symmetric(uint32_t word, float bound) { return bound * (2.0f * uniform_from_word(word) - 1); }

Move draw_move(const DigitBatchArgs& args, uint64_t example) {
  const PhiloxWords words = random_words(args.seed, RandomStream::kAugment, example, 0, 0);
  const float u = symmetric(words.w[0], args.max_tangent);
  const float norm = 1.0f + u * u;
  return {(1.0f - u * u) / norm, 2.0f * u / norm, symmetric(words.w[1], args.max_shift),
          symmetric(words.w[2], args.max_shift)};
}

class Digit {
 public:
  Digit(const uint8_t* pixels, int64_t height, int64_t width)
      : pixels_(pixels), height_(height), width_(width) {}

  // Bilinear interpolation of 0..255, black outside.
  float at(float y, float x) const {
    const float top = std::floor(y), left = std::floor(x);
    const float fy = y - top, fx = x - left;
    const auto i = static_cast<int64_t>(top), j = static_cast<int64_t>(left);
    const float above = (1.0f - fx) * pixel(i, j) + fx * pixel(i, j + 1);
    const float below = (1.0f - fx) * pixel(i + 1, j) + fx * pixel(i + 1, j + 1);
    return (1.0f - fy) * above + fy * below;
  }

 private:
  float pixel(int64_t i, int64_t j) const {
    const bool inside = i >= 0 && i < height_ && j >= 0 && j < width_;
    return inside ? static_cast<float>(pixels_[i * width_ + j]) : 0.0f;
  }

  const uint8_t* pixels_;
  int64_t height_, width_;
};

void move_image(const Digit& digit, const Move& move, int64_t height, int64_t width, float* y) {
  const float cy = static_cast<float>(height - 1) / 2, cx = static_cast<float>(width - 1) / 2;
  for (int64_t i = 0; i < height; ++i) {
    const float down = static_cast<float>(i) - cy - move.dy;
    for (int64_t j = 0; j < width; ++j) {
      const float right = static_cast<float>(j) - cx - move.dx;
      const float row = move.cosine * down - move.sine * right + cy;
      const float column = move.sine * down + move.cosine * right + cx;
      y[i * width + j] = digit.at(row, column) / 255.0f;
    }
  }
}

}  // namespace

void digit_batch(const DigitBatchArgs& args, KernelStream stream) {
  const int64_t pixels = args.height * args.width;
  parallel_for(stream.threads, args.n, [&](int64_t j) {
    const int64_t row = args.indices[j];
    const Digit digit(args.images + row * pixels, args.height, args.width);
    const Move move = draw_move(args, *args.first_example + static_cast<uint64_t>(j));
    move_image(digit, move, args.height, args.width, args.input + j * pixels);
    float* target = args.target + j * args.classes;
    for (int64_t k = 0; k < args.classes; ++k) target[k] = args.labels[row] == k ? 1.0f : 0.0f;
  });
}

}  // namespace ebb::cpu
