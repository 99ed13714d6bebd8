#pragma once

#include <cstdint>

#include "base/dtype.h"
#include "kernels/simt/host_device.h"

namespace ebb {

// Enlarging (or, bilinear, resizing to any size) NHWC images, as torch.nn.functional.interpolate.
//   nearest:  y[n, i, j, c] = x[n, i * H / Ho, j * W / Wo, c]   (rounded down)
//   bilinear: align_corners = false; output row i lies at s = (i + 0.5) * H / Ho - 0.5, not below
//   0,
//             between input rows floor(s) and floor(s) + 1 (at most H - 1); columns alike
enum class Interpolation { kNearest, kBilinear };

struct UpsampleSize {
  int64_t n, h, w, ho, wo, c;
};

struct UpsampleForwardArgs {
  Interpolation interpolation;
  UpsampleSize size;
  DType dtype;
  const void* x;  // [N, H, W, C]
  void* y;        // [N, Ho, Wo, C]
};

// dx[n, i, j, c] = sum of dy over the outputs that read the input pixel, times their weights, in
// order of the outputs.
struct UpsampleBackwardArgs {
  Interpolation interpolation;
  UpsampleSize size;
  DType dtype;
  const void* dy;  // [N, Ho, Wo, C]
  void* dx;        // [N, H, W, C]
};

// The two inputs that output `out` of one axis reads, and the weight of the second.
struct AxisSample {
  int64_t first, second;
  float weight;

  // The weight with which `input` enters.
  EBB_HOST_DEVICE constexpr float weight_of(int64_t input) const {
    return (input == first ? 1.0f - weight : 0.0f) + (input == second ? weight : 0.0f);
  }
};

EBB_HOST_DEVICE constexpr AxisSample axis_sample(Interpolation interpolation, int64_t in_size,
                                                 int64_t out_size, int64_t out) {
  if (interpolation == Interpolation::kNearest) {
    const int64_t input = out * in_size / out_size;
    return {input, input, 0.0f};
  }
  // In double: the weight is then exact to f32 for every size.
  const double position = (static_cast<double>(out) + 0.5) * static_cast<double>(in_size) /
                              static_cast<double>(out_size) -
                          0.5;
  const double inside = position > 0 ? position : 0;
  const int64_t first = static_cast<int64_t>(inside);
  return {first, first + 1 < in_size ? first + 1 : first,
          static_cast<float>(inside - static_cast<double>(first))};
}

// Outputs that may read `input` lie in [begin, end).
struct AxisRange {
  int64_t begin, end;
};
EBB_HOST_DEVICE constexpr AxisRange outputs_of(int64_t in_size, int64_t out_size, int64_t input) {
  // Positions differ from input * out / in by less than 1.5 inputs and one output.
  const int64_t begin = (input - 2) * out_size / in_size - 1;
  const int64_t end = (input + 2) * out_size / in_size + 2;
  return {begin > 0 ? begin : 0, end < out_size ? end : out_size};
}

}  // namespace ebb
