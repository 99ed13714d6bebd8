#pragma once

#include "kernels/attention/attention.h"
#include "kernels/simt/simt.h"

namespace ebb::EBB_GPU_NAMESPACE {

// Algorithms of the forward pass.
//   kTiles  f32 on ordinary units: all types, all widths of heads
//   kMma    tensor cores by mma.sync, for 16-bit types; the weights are rounded to the type too
enum class AttentionAlgorithm { kTiles, kMma };

// The widest heads of kMma: sums of so many numbers lie in registers.
inline constexpr int64_t kMaxMmaHeadDim = 256;

// Follows the type, the shape of a head and whether rows come in packs of 16 bytes; never the
// batch or the number of tokens.
AttentionAlgorithm attention_algorithm(const AttentionForwardArgs& args);

void attention_mma_forward(const AttentionForwardArgs& args, KernelStream stream);

}  // namespace ebb::EBB_GPU_NAMESPACE
