#pragma once

#include "kernels/simt/simt.h"

namespace ebb::EBB_GPU_NAMESPACE {

// The argument of GroupNorm's activation: u = xh * grad + offset.
struct Affine {
  float grad, offset;
};
SIMT_DEVICE Affine affine_of(const float* gamma, const float* beta, const float* scale,
                             const float* shift, int64_t c, int64_t nc) {
  const float factor = scale == nullptr ? 1.0f : 1.0f + scale[nc];
  return {gamma[c] * factor, beta[c] * factor + (shift == nullptr ? 0.0f : shift[nc])};
}

}  // namespace ebb::EBB_GPU_NAMESPACE
