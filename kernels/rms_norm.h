#pragma once

#include <cstdint>

#include "engine/base/dtype.h"
#include "engine/base/stream_handle.h"

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
};
using RmsNormForwardFn = void(const RmsNormForwardArgs&, StreamHandle);

namespace cpu {
RmsNormForwardFn rms_norm_forward;
}  // namespace cpu

}  // namespace ebb
