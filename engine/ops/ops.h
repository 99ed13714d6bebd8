#pragma once

#include "engine/op.h"

namespace ebb::ops {

extern const OpDef kConv;                 // conv.cc
extern const OpDef kConvPack;             // conv.cc
extern const OpDef kBatchNorm;            // batch_norm.cc
extern const OpDef kBatchNormTrain;       // batch_norm.cc
extern const OpDef kFoldBatchNorm;        // batch_norm.cc
extern const OpDef kActivation;           // activation.cc
extern const OpDef kAvgPool;              // avg_pool.cc
extern const OpDef kConcat;               // concat.cc
extern const OpDef kSliceChannels;        // slice_channels.cc
extern const OpDef kAdd;                  // broadcast.cc
extern const OpDef kMultiply;             // broadcast.cc
extern const OpDef kConvert;              // convert.cc
extern const OpDef kEmbedding;            // embedding.cc
extern const OpDef kMseLoss;              // mse_loss.cc
extern const OpDef kSoftmaxCrossEntropy;  // softmax_cross_entropy.cc

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
