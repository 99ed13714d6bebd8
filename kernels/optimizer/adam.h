#pragma once

#include <cstdint>

namespace ebb {

// Values that change at every step are in device memory, so that a whole training step can be
// captured once and launched again.

// Written by the host before step t = 1, 2, ...
struct AdamRates {
  float root;        // sqrt(1 - beta2^t)
  float minus_step;  // -lr / (1 - beta1^t)
  float keep = 1;    // 1 - lr * weight decay
};

// Whether and how a step updates, decided on the device.
struct UpdateGuard {
  double loss, grad_norm;
  float grad_scale;  // 1, or the factor that brings the gradient's norm down to the clipping norm
  int32_t update;    // 0 when loss or norm is not finite, or a number is lost: nothing changes
};

struct UpdateGuardArgs {
  double clip_norm;                // 0: no clipping
  const float* loss;               // [1]
  const double* sum_squares;       // [1], of the gradients
  UpdateGuard* guard;              // [1]
  const uint64_t* lost = nullptr;  // [1], of fixed_sum.h; null: none
};

// Adam (Kingma & Ba 2015, PyTorch's form: eps outside the bias-corrected root) with decoupled
// weight decay (AdamW, Loshchilov & Hutter 2019), one flat buffer:
//   g' = grad_scale * g;  m = b1 m + (1-b1) g';  v = b2 v + (1-b2) g'^2;
//   p = keep * p - lr / (1 - b1^t) * m / (sqrt(v / (1 - b2^t)) + eps),   t = 1, 2, ...
struct AdamArgs {
  int64_t count;
  double beta1, beta2, eps;
  const AdamRates* rates;    // [1]
  const UpdateGuard* guard;  // [1], or null to update with the gradient as it is
  const float* grad;         // [count]
  float* param;              // [count]
  float* m;                  // [count]
  float* v;                  // [count]
  uint16_t* shadow;          // [count] the new parameters in bf16, or null
};

// ema = decay * ema + (1 - decay) * param.
struct EmaArgs {
  int64_t count;
  double decay;
  const UpdateGuard* guard;  // [1], or null to update
  const float* param;        // [count]
  float* ema;                // [count]
};

// result = sum of x^2 in double, fixed order. Not finite when any element is not.
struct SumSquaresArgs {
  int64_t count;
  const float* x;   // [count]
  double* result;   // [1]
  void* workspace;  // sum_squares_workspace_bytes(count)
};
using SumSquaresWorkspaceBytesFn = int64_t(int64_t count);

}  // namespace ebb
