#pragma once

#include "kernels/conv.h"
#include "kernels/simt.h"
#include "kernels/tap_list.h"

namespace ebb::EBB_GPU_NAMESPACE {

// How convolutions are computed.
//   kNaive     one loop per output element, for reference
//   kSimt      f32 on ordinary units
//   kMma       tensor cores by mma.sync; f32 is rounded to tf32
//   kWgmma     tensor cores of Hopper, sm_90a
enum class ConvAlgorithm { kNaive, kSimt, kMma, kWgmma };

// Within what choose_conv_units() (kernels/conv.h) allows. Never depends on geometry.n, because
// packed weights serve every batch size.
ConvAlgorithm conv_algorithm(const ConvGeometry& geometry, ConvPass pass, DType dtype);

// Channels of one kernel position in packed weights.
int64_t channels_packed(const ConvGeometry& geometry, ConvPass pass, DType dtype);

// How the weight gradient splits its sum over grid points; depends on the shape and the algorithm.
struct ConvSplits {
  int splits;
  int points_per_split;
};
ConvSplits conv_splits(const ConvGeometry& geometry, DType dtype);

// Forward: rows of A (grid points of one phase) per chunk of y's moments, and the chunks of all.
inline constexpr int kConvChunkRows = 64;

// Bias gradient: rows of dy per partial sum.
inline constexpr int kBiasRows = 256;

}  // namespace ebb::EBB_GPU_NAMESPACE
