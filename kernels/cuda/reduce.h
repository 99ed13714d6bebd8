#pragma once

// Reductions within a warp and a block, always in the same order.

#include "kernels/simt/simt.h"

namespace ebb::EBB_GPU_NAMESPACE {

inline constexpr unsigned kAllLanes = 0xffffffffu;

template <class T>
SIMT_DEVICE T warp_sum(T v) {
  for (int offset = 16; offset > 0; offset /= 2) v += __shfl_xor_sync(kAllLanes, v, offset);
  return v;
}
SIMT_DEVICE float warp_max(float v) {
  for (int offset = 16; offset > 0; offset /= 2)
    v = fmaxf(v, __shfl_xor_sync(kAllLanes, v, offset));
  return v;
}

// Sum over the kBlock threads of a block (one-dimensional), known to all of them. kBlock is a
// multiple of 32.
template <int kBlock, class T>
SIMT_DEVICE T block_sum(T v) {
  SIMT_SHARED(T, partial, [kBlock / 32]);
  v = warp_sum(v);
  __syncthreads();  // the previous call may still be read
  if (threadIdx.x % 32 == 0) partial[threadIdx.x / 32] = v;
  __syncthreads();
  T sum = partial[0];
  for (int warp = 1; warp < kBlock / 32; ++warp) sum += partial[warp];
  return sum;
}

template <int kBlock>
SIMT_DEVICE float block_max(float v) {
  SIMT_SHARED(float, partial, [kBlock / 32]);
  v = warp_max(v);
  __syncthreads();
  if (threadIdx.x % 32 == 0) partial[threadIdx.x / 32] = v;
  __syncthreads();
  float most = partial[0];
  for (int warp = 1; warp < kBlock / 32; ++warp) most = fmaxf(most, partial[warp]);
  return most;
}

}  // namespace ebb::EBB_GPU_NAMESPACE
