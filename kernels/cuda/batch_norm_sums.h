#pragma once

// Per-channel sums over the rows of a chunk.

#include "kernels/cuda/batch_norm_plan.h"
#include "kernels/simt.h"

namespace ebb::EBB_GPU_NAMESPACE {

// Adds a value per thread over the kBatchNormLanes threads of a channel, in order, and gives the
// sum to all of them. All threads of the block call it.
template <class T>
SIMT_DEVICE T add_lanes(T value, T (&shared)[kBatchNormLanes][kBatchNormChannels]) {
  __syncthreads();  // the previous sums may still be read
  shared[threadIdx.y][threadIdx.x] = value;
  __syncthreads();
  T sum = shared[0][threadIdx.x];
  for (int lane = 1; lane < kBatchNormLanes; ++lane) sum += shared[lane][threadIdx.x];
  return sum;
}

}  // namespace ebb::EBB_GPU_NAMESPACE
