#pragma once

#include "engine/op.h"

namespace ebb::ops {

// Moments of chunks of a tensor's rows (kernels/norm/row_moments.h), as a convolution gives them to
// a BatchNorm.
inline Shape moments_shape(int64_t chunks, int64_t channels) {
  return {chunks, channels, static_cast<int64_t>(sizeof(RowMoments) / sizeof(float))};
}

// Whether a convolution with so many inputs has a residual; it is input 3.
bool has_residual(const ConvAttrs& attrs, size_t inputs);

// The geometry of a convolution of x [N, H, W, C] or [N, C] by w [O, K, K, C] or [O, C].
ConvGeometry conv_op_geometry(const ConvAttrs& attrs, const Shape& x, int64_t out_channels);

}  // namespace ebb::ops
