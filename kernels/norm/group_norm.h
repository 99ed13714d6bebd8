#pragma once

#include <cstdint>

#include "base/dtype.h"
#include "kernels/pointwise/activation.h"

namespace ebb {

// GroupNorm (Wu & He 2018) on NHWC images, with an optional scale and shift per image and channel
// (Dhariwal & Nichol 2021, "scale-shift norm") and the activation fused in:
//   xh = (x - mean[n, g]) * rstd[n, g],  rstd = 1 / sqrt(var + eps), var biased, over the pixels
//        and the C / groups channels of group g
//   y  = act((xh * gamma[c] + beta[c]) * (1 + scale[n, c]) + shift[n, c])
// Statistics are centered: two passes. LayerNorm over rows of C is the case n = rows, pixels = 1,
// groups = 1.
struct GroupNormSize {
  int64_t n, pixels, c, groups;  // groups divides c

  constexpr int64_t group_channels() const { return c / groups; }
};

// y may be x.
struct GroupNormForwardArgs {
  GroupNormSize size;
  DType dtype;
  Activation activation;
  float eps;
  const void* x;       // [N, pixels, C]
  const float* gamma;  // [C]
  const float* beta;   // [C]
  const float* scale;  // [N, C] or null for 0
  const float* shift;  // [N, C] or null for 0
  void* y;             // [N, pixels, C]
  float* mean;         // [N, groups] for the backward pass, or null
  float* rstd;         // [N, groups] for the backward pass, or null
  void* workspace;     // group_norm_forward_workspace_bytes(size), null where that is 0
};

// With du = dy * act'(u), u the argument of the activation, and per image and channel
//   a = sum over pixels of du,  b = sum over pixels of du * xh:
//   dshift = a, dscale = gamma * b + beta * a,
//   dbeta = sum over n of (1 + scale) a, dgamma = sum over n of (1 + scale) b,
//   dx = rstd * (g - mean of g - xh * mean of g * xh), g = du * (1 + scale) * gamma, means over the
//   group. dx may be dy.
struct GroupNormBackwardArgs {
  GroupNormSize size;
  DType dtype;
  Activation activation;
  const void* x;       // [N, pixels, C], the forward input
  const float* gamma;  // [C]
  const float* beta;   // [C]
  const float* scale;  // [N, C] or null
  const float* shift;  // [N, C] or null
  const float* mean;   // [N, groups]
  const float* rstd;   // [N, groups]
  const void* dy;      // [N, pixels, C]
  void* dx;            // [N, pixels, C]
  float* dgamma;       // [C], overwritten
  float* dbeta;        // [C], overwritten
  float* dscale;       // [N, C], overwritten, or null
  float* dshift;       // [N, C], overwritten, or null
  void* workspace;     // group_norm_workspace_bytes(size)
};

// Scratch of a pass: group_norm_forward_workspace_bytes() and group_norm_workspace_bytes(), which
// is the backward pass's.
using GroupNormWorkspaceBytesFn = int64_t(const GroupNormSize& size);

}  // namespace ebb
