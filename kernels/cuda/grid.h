#pragma once

// Sizes of grids. None depends on the GPU at hand: results and limits are the same on all.

#include <algorithm>

#include "kernels/simt/simt.h"

namespace ebb::EBB_GPU_NAMESPACE {

inline constexpr int kThreads = 256;
// Enough blocks of 256 threads to fill a GPU of 132 SMs twice over, and a larger one once; more
// work loops.
inline constexpr int64_t kMaxBlocks = 132 * 16;
inline constexpr int64_t kMaxGridY = 65535;

constexpr int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

// Blocks for `work` items of one thread each; grid-stride loops do the rest.
inline unsigned blocks_for(int64_t work, int threads = kThreads) {
  return static_cast<unsigned>(std::min(ceil_div(work, threads), kMaxBlocks));
}

// Blocks along y for `rows` items that a loop of stride gridDim.y visits.
inline unsigned rows_for(int64_t rows) { return static_cast<unsigned>(std::min(rows, kMaxGridY)); }

// Index and stride of a grid-stride loop.
SIMT_DEVICE int64_t global_thread() {
  return static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
}
SIMT_DEVICE int64_t global_threads() { return static_cast<int64_t>(gridDim.x) * blockDim.x; }

}  // namespace ebb::EBB_GPU_NAMESPACE
