#pragma once

#include "engine/op.h"
#include "kernels/attention/attention.h"

namespace ebb::ops {

// Moments of chunks of a tensor's rows (kernels/norm/row_moments.h), as a convolution gives them to
// a BatchNorm.
inline Shape moments_shape(int64_t chunks, int64_t channels) {
  return {chunks, channels, static_cast<int64_t>(sizeof(RowMoments) / sizeof(float))};
}

// Whether a convolution with so many inputs has a residual; it follows the bias.
bool has_residual(const ConvAttrs& attrs, size_t inputs);

// The geometry of a convolution of x [N, H, W, C], [N, L, C] or [N, C] by w [O, K, K, C] or [O, C].
ConvGeometry conv_op_geometry(const ConvAttrs& attrs, const Shape& x, int64_t out_channels);

// Whether the second operand of add or multiply is as large as the first, not a vector per image.
bool is_elementwise(const Shape& x, const Shape& s);

// The sizes and the factor of the products that attention's inputs and attributes stand for.
AttentionSize attention_op_size(const AttentionAttrs& attrs, std::span<const Tensor> inputs);
float attention_op_scale(const AttentionAttrs& attrs, const Shape& q);

// The images that an average pool reads x [N, H, W, C] or [N, tokens, C] as, and its windows.
struct PoolWindows {
  int64_t h, w, kh, kw;
};
PoolWindows pool_windows(const PoolAttrs& attrs, const Shape& x);

// The sizes of images x [N, H, W, C] enlarged to y [N, Ho, Wo, C].
UpsampleSize upsample_size(const Shape& x, const Shape& y);

}  // namespace ebb::ops
