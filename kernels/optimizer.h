#pragma once

#include <cstdint>

#include "engine/base/stream_handle.h"

namespace ebb {

// Adam (Kingma & Ba 2015, PyTorch's form: eps outside the bias-corrected root), one flat buffer:
//   g' = grad_scale * g;  m = b1 m + (1-b1) g';  v = b2 v + (1-b2) g'^2;
//   p -= lr / (1 - b1^t) * m / (sqrt(v / (1 - b2^t)) + eps),   t = step = 1, 2, ...
struct AdamArgs {
  int64_t count;
  double lr, beta1, beta2, eps;
  float grad_scale;   // 1, or the factor that clips the gradient norm
  int64_t step;       // of this update, from 1
  const float* grad;  // [count]
  float* param;       // [count]
  float* m;           // [count]
  float* v;           // [count]
};
using AdamFn = void(const AdamArgs&, StreamHandle);

// ema = decay * ema + (1 - decay) * param.
struct EmaArgs {
  int64_t count;
  double decay;
  const float* param;  // [count]
  float* ema;          // [count]
};
using EmaFn = void(const EmaArgs&, StreamHandle);

// result = sum of x^2 in double, fixed order. Not finite when any element is not.
struct SumSquaresArgs {
  int64_t count;
  const float* x;   // [count]
  double* result;   // [1]
  void* workspace;  // sum_squares_workspace_bytes(count)
};
using SumSquaresFn = void(const SumSquaresArgs&, StreamHandle);
using SumSquaresWorkspaceBytesFn = int64_t(int64_t count);

namespace cpu {
AdamFn adam;
EmaFn ema;
SumSquaresFn sum_squares;
SumSquaresWorkspaceBytesFn sum_squares_workspace_bytes;
}  // namespace cpu

}  // namespace ebb
