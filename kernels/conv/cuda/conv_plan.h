#pragma once

#include "kernels/conv/conv.h"
#include "kernels/conv/tap_list.h"
#include "kernels/simt/simt.h"

namespace ebb::EBB_GPU_NAMESPACE {

// Convolution algorithms.
//   kNaive     one loop per output element, for reference
//   kSimt      f32 on ordinary units
//   kMma       tensor cores by mma.sync; f32 is rounded to tf32
//   kWgmma     tensor cores of Hopper, sm_90a
//   kNarrow    weight gradients with few channels on one side, in f32 on ordinary units
enum class ConvAlgorithm { kNaive, kSimt, kMma, kWgmma, kNarrow };

// Within what `math` allows. Never depends on geometry.n,
// because packed weights serve every batch size.
ConvAlgorithm conv_algorithm(const ConvGeometry& geometry, ConvPass pass, DType dtype,
                             const ConvMath& math);

// Whether a launch of so many blocks gives each multiprocessor two, or smaller tiles are better.
// Results do not depend on it.
bool fills_gpu(int64_t blocks, const DeviceProperties& device);

// Channels of one kernel position in packed weights: whole copies of 16 bytes.
int64_t channels_packed(const ConvGeometry& geometry, ConvPass pass, DType dtype);

// Split of the weight gradient's sum over grid points; depends on the shape and the algorithm.
struct ConvSplits {
  int splits;
  int points_per_split;
};
ConvSplits conv_splits(const ConvGeometry& geometry, DType dtype, const ConvMath& math);

// Phases that one launch of kWgmma takes.
inline constexpr int kMaxWgmmaPhases = 4;

// kNarrow: rows (tap, channel of the narrow side) and channels of the wide side that a block sums.
inline constexpr int kConvNarrowRows = 12, kConvNarrowColumns = 64;

// Forward: rows of A (grid points of one phase) per chunk of y's moments, and the chunks of all.
inline constexpr int kConvChunkRows = 64;

// Bias gradient: rows of dy per partial sum.
inline constexpr int kBiasRows = 256;

}  // namespace ebb::EBB_GPU_NAMESPACE
