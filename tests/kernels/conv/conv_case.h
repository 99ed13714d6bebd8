#pragma once

#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <memory>
#include <random>
#include <vector>

#include "kernels/kernel_table.h"
#include "testing/op_cases.h"

// One convolution with its data, for the tests of all backends' kernels.
namespace ebb {

class AlignedBytes {
 public:
  explicit AlignedBytes(int64_t bytes)
      : data_(std::aligned_alloc(64, static_cast<size_t>(bytes + 127) / 64 * 64), std::free) {}
  void* get() const { return data_.get(); }

 private:
  std::unique_ptr<void, decltype(&std::free)> data_;
};

constexpr float kGap = -1234.5f;  // what output gaps hold before and after

// Uniform in [-1, 1); rows of `row` values `pitch` apart with `gap` between them.
inline std::vector<float> random_rows(int64_t rows, int64_t row, int64_t pitch, float gap,
                                      uint32_t seed) {
  std::mt19937 generator(seed);
  std::uniform_real_distribution<float> uniform(-1.0f, 1.0f);
  std::vector<float> data(static_cast<size_t>((rows - 1) * pitch + row), gap);
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t i = 0; i < row; ++i) data[r * pitch + i] = uniform(generator);
  }
  return data;
}

struct ConvOptions {
  bool bias = true;
  int64_t residual_n = 0;  // 0: no residual
  Activation activation = Activation::kNone;
  int threads = 1;
  int64_t scale_n = 0, shift_n = 0;  // 0: none

  bool modulates() const { return scale_n > 0 || shift_n > 0; }
};

// Scale and shift of an output after the activation.
struct Modulation {
  double scale = 1, shift = 0;
};

class ConvCase {
 public:
  explicit ConvCase(const ConvGeometry& geometry, const ConvMath& conv_math = {})
      : g(geometry),
        math(conv_math),
        x(random_rows(g.n * g.h * g.w, g.c, g.x_pitch, kNan, 1)),
        dy(random_rows(g.n * g.ho * g.wo, g.o, g.y_pitch, kNan, 2)),
        w(random_rows(1, g.o * g.kh * g.kw * g.c, 0, 0, 3)),
        bias(random_rows(1, g.o, 0, 0, 4)),
        residual(random_rows(g.n, g.ho * g.wo * g.o, g.ho * g.wo * g.o, 0, 5)),
        scale(random_rows(g.n, g.o, g.o, 0, 6)),
        shift(random_rows(g.n, g.o, g.o, 0, 7)) {}

  // [N, Ho, Wo, O], pitch y_pitch
  std::vector<float> forward(const ConvOptions& options) const {
    std::vector<float> y(dy.size(), kGap);
    const AlignedBytes packed = pack(ConvPass::kForward, options.threads);
    const AlignedBytes workspace = make_workspace(ConvPass::kForward, options.threads);
    cpu_kernels().conv_forward.fn({.geometry = g,
                                   .dtype = DType::kF32,
                                   .x = x.data(),
                                   .packed = packed.get(),
                                   .bias = options.bias ? bias.data() : nullptr,
                                   .residual = options.residual_n > 0 ? residual.data() : nullptr,
                                   .residual_n = options.residual_n,
                                   .activation = options.activation,
                                   .y = y.data(),
                                   .workspace = workspace.get(),
                                   .scale = options.scale_n > 0 ? scale.data() : nullptr,
                                   .scale_n = options.scale_n,
                                   .shift = options.shift_n > 0 ? shift.data() : nullptr,
                                   .shift_n = options.shift_n},
                                  {.threads = options.threads, .conv_math = math});
    return y;
  }

  // [N, H, W, C], pitch x_pitch
  std::vector<float> backward_input(int threads) const {
    std::vector<float> dx(x.size(), kGap);
    const AlignedBytes packed = pack(ConvPass::kBackwardInput, threads);
    const AlignedBytes workspace = make_workspace(ConvPass::kBackwardInput, threads);
    cpu_kernels().conv_backward_input.fn({.geometry = g,
                                          .dtype = DType::kF32,
                                          .dy = dy.data(),
                                          .packed = packed.get(),
                                          .dx = dx.data(),
                                          .workspace = workspace.get()},
                                         {.threads = threads, .conv_math = math});
    return dx;
  }

  struct WeightGradient {
    std::vector<float> dw, db;
    friend bool operator==(const WeightGradient&, const WeightGradient&) = default;
  };
  WeightGradient backward_weight(int threads) const {
    WeightGradient grad{std::vector<float>(w.size(), kGap), std::vector<float>(g.o, kGap)};
    const AlignedBytes workspace = make_workspace(ConvPass::kBackwardWeight, threads);
    cpu_kernels().conv_backward_weight.fn({.geometry = g,
                                           .dtype = DType::kF32,
                                           .x = x.data(),
                                           .dy = dy.data(),
                                           .dw = grad.dw.data(),
                                           .db = grad.db.data(),
                                           .workspace = workspace.get()},
                                          {.threads = threads, .conv_math = math});
    return grad;
  }

  // The same with image k only.
  ConvCase image(int64_t k) const {
    ConvCase one = *this;
    one.g.n = 1;
    one.x = slice(x, k, g.h * g.w, g.c, g.x_pitch);
    one.dy = slice(dy, k, g.ho * g.wo, g.o, g.y_pitch);
    one.residual = slice(residual, k, g.ho * g.wo, g.o, g.o);
    one.scale = slice(scale, k, 1, g.o, g.o);
    one.shift = slice(shift, k, 1, g.o, g.o);
    return one;
  }
  // Pixels of image k from [N, ...] data.
  static std::vector<float> slice(const std::vector<float>& data, int64_t k, int64_t pixels,
                                  int64_t row, int64_t pitch) {
    const auto begin = data.begin() + k * pixels * pitch;
    return {begin, begin + (pixels - 1) * pitch + row};
  }

  Modulation modulation(const ConvOptions& options, int64_t image, int64_t o) const {
    Modulation m;
    if (options.scale_n > 0) m.scale = scale[image % options.scale_n * g.o + o];
    if (options.shift_n > 0) m.shift = shift[image % options.shift_n * g.o + o];
    return m;
  }

  ConvGeometry g;
  ConvMath math;  // passed to the kernels
  std::vector<float> x, dy, w, bias, residual, scale, shift;

 private:
  static constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

  AlignedBytes pack(ConvPass pass, int threads) const {
    AlignedBytes packed(cpu_kernels().conv_packed_bytes.fn(g, pass, DType::kF32, math));
    cpu_kernels().conv_pack.fn(
        {.geometry = g, .pass = pass, .dtype = DType::kF32, .w = w.data(), .packed = packed.get()},
        {.threads = threads, .conv_math = math});
    return packed;
  }
  AlignedBytes make_workspace(ConvPass pass, int threads) const {
    return AlignedBytes(cpu_kernels().conv_workspace_bytes.fn(g, pass, DType::kF32, math, threads));
  }
};

}  // namespace ebb
