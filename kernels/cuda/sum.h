#pragma once

// Sums over all elements in double and in an order that depends on the count alone.

#include "kernels/cuda/grid.h"
#include "kernels/cuda/reduce.h"

namespace ebb::EBB_GPU_NAMESPACE {

inline constexpr int64_t kSumElementsPerBlock = 16 * kThreads, kMaxSumBlocks = 512;

inline int64_t sum_blocks(int64_t count) {
  return std::clamp<int64_t>(ceil_div(count, kSumElementsPerBlock), 1, kMaxSumBlocks);
}
inline int64_t sum_workspace_bytes(int64_t count) {
  return sum_blocks(count) * static_cast<int64_t>(sizeof(double));
}

// partial[block] = sum of term(i) over the block's elements.
template <class Term>
__global__ void __launch_bounds__(kThreads)
    sum_terms_kernel(int64_t count, Term term, double* partial) {
  double sum = 0;
  for (int64_t i = global_thread(); i < count; i += global_threads()) sum += term(i);
  sum = block_sum<kThreads>(sum);
  if (threadIdx.x == 0) partial[blockIdx.x] = sum;
}

// *result = sum of the partial sums * scale.
template <class Result>
__global__ void __launch_bounds__(kThreads)
    sum_partials_kernel(int64_t blocks, const double* partial, double scale, Result* result) {
  double sum = 0;
  for (int64_t i = threadIdx.x; i < blocks; i += kThreads) sum += partial[i];
  sum = block_sum<kThreads>(sum);
  if (threadIdx.x == 0) *result = static_cast<Result>(sum * scale);
}

// *result = scale * sum of term(i), i = 0..count-1. workspace: sum_workspace_bytes(count).
template <class Term, class Result>
void sum_terms(const char* name, KernelStream stream, int64_t count, const Term& term, double scale,
               void* workspace, Result* result) {
  const int64_t blocks = sum_blocks(count);
  double* partial = static_cast<double*>(workspace);  // [blocks]
  simt::launch({.name = name,
                .grid = dim3(static_cast<unsigned>(blocks)),
                .block = dim3(kThreads),
                .stream = stream},
               sum_terms_kernel<Term>, count, term, partial);
  simt::launch({.name = name, .grid = dim3(1), .block = dim3(kThreads), .stream = stream},
               sum_partials_kernel<Result>, blocks, partial, scale, result);
}

}  // namespace ebb::EBB_GPU_NAMESPACE
