#pragma once

#include <cstdint>

namespace ebb {

// Weighted sum along a line through every pixel, per channel, with reflect padding (PyTorch's: the
// edge pixel is not repeated):
//   y[n, i, j, c] = sum over k of weights[k] * x[n, R_H(i + (k - r) dy), R_W(j + (k - r) dx), c]
// with r = taps / 2 and R_S(p) = |p| below S, 2 (S - 1) - p from S on. The horizontal and the
// vertical pass of a separable filter are (dy, dx) = (0, 1) and (1, 0); a blur by diagonal motion
// is (1, 1). Sums in f32 in the order of k. y must not overlap x.
struct LineFilterArgs {
  int64_t n, h, w, c;
  int64_t dy, dx;        // 0 or 1 each
  int64_t taps;          // odd; r < h where dy is 1, r < w where dx is 1
  const float* weights;  // [taps]
  const float* x;        // [N, H, W, C]
  float* y;              // [N, H, W, C]
};

}  // namespace ebb
