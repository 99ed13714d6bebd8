#pragma once

#include <cstdint>

#include "base/dtype.h"

namespace ebb {

// RMSNorm (Zhang & Sennrich 2019; T5's layer norm): no mean, no shift.
//   y[r, c] = x[r, c] * rstd[r] * gamma[c],  rstd = 1 / sqrt(mean over c of x^2 + eps)
// The mean is summed in double. y may be x.
struct RmsNormForwardArgs {
  int64_t rows, c;
  DType dtype;
  float eps;
  const void* x;       // [rows, C]
  const float* gamma;  // [C]
  void* y;             // [rows, C]
  float* rstd;         // [rows] for the backward pass, or null
};

// With xh = x * rstd and g = dy * gamma:
//   dgamma = sum over rows of dy * xh,  dx = rstd * (g - xh * mean over c of g * xh).
// Sums are in double, in an order that the shape decides. dx may be dy.
struct RmsNormBackwardArgs {
  int64_t rows, c;
  DType dtype;
  const void* x;       // [rows, C], the forward input
  const float* gamma;  // [C]
  const float* rstd;   // [rows]
  const void* dy;      // [rows, C]
  void* dx;            // [rows, C]
  float* dgamma;       // [C], overwritten
  void* workspace;     // rms_norm_workspace_bytes(rows, c)
};

// Scratch of the backward pass: dgamma of every chunk of rows, [chunks, C] in double.
using RmsNormWorkspaceBytesFn = int64_t(int64_t rows, int64_t c);

}  // namespace ebb
