#pragma once

// Sums per column of a block of [lanes][kColumns] threads: threadIdx.x is the column, threadIdx.y
// the lane. Always in the same order: the lanes of a warp as a tree, then the warps one by one.

#include "kernels/cuda/reduce.h"

namespace ebb::EBB_GPU_NAMESPACE {

// Adds up kValues values of each thread over the lanes of its column. kColumns is a power of two,
// at most 32. All threads of the block call it; column_sum() then reads the result. Between that
// and another call with the same sums lies a barrier.
template <int kWarps, int kValues, int kColumns, class T>
SIMT_DEVICE void reduce_columns(const T (&values)[kValues], T (&sums)[kWarps][kValues][kColumns]) {
  constexpr int kLanesOfWarp = 32 / kColumns;
  const int column = static_cast<int>(threadIdx.x), lane = static_cast<int>(threadIdx.y);
#pragma unroll
  for (int i = 0; i < kValues; ++i) {
    T sum = values[i];
    for (int offset = kColumns; offset < 32; offset *= 2) {
      sum += __shfl_xor_sync(kAllLanes, sum, offset);
    }
    if (lane % kLanesOfWarp == 0) sums[lane / kLanesOfWarp][i][column] = sum;
  }
  __syncthreads();
}

// The sum of value i over all lanes of the thread's column.
template <int kWarps, int kValues, int kColumns, class T>
SIMT_DEVICE T column_sum(const T (&sums)[kWarps][kValues][kColumns], int i) {
  T sum = sums[0][i][threadIdx.x];
#pragma unroll
  for (int warp = 1; warp < kWarps; ++warp) sum += sums[warp][i][threadIdx.x];
  return sum;
}

}  // namespace ebb::EBB_GPU_NAMESPACE
