#pragma once

#include "kernels/cuda/elements.h"

// A thread's part of a block's tile of sums in f32 on ordinary arithmetic units: kRows x kColumns
// elements in groups of neighbors, so that shared memory is read in vectors without conflicts.
namespace ebb::EBB_GPU_NAMESPACE {

template <int kBlockRows, int kBlockColumns, int kRows, int kColumns>
struct ThreadTile {
  static constexpr int kRowGroup = kRows < 4 ? kRows : 4;
  static constexpr int kColumnGroup = kColumns < 4 ? kColumns : 4;
  static constexpr int kThreadsAlong = kBlockColumns / kColumns;
  static constexpr int kThreads = kBlockRows / kRows * kThreadsAlong;

  float sum[kRows][kColumns] = {};

  // Place in the block's tile of row i and of column j.
  static SIMT_DEVICE int row(int thread, int i) {
    const int groups = kRows / kRowGroup;
    return i / kRowGroup * (kBlockRows / groups) + thread / kThreadsAlong * kRowGroup +
           i % kRowGroup;
  }
  static SIMT_DEVICE int column(int thread, int j) {
    const int groups = kColumns / kColumnGroup;
    return j / kColumnGroup * (kBlockColumns / groups) + thread % kThreadsAlong * kColumnGroup +
           j % kColumnGroup;
  }

  // sum += a^T b for one k: a[kBlockRows], b[kBlockColumns] in shared memory.
  SIMT_DEVICE void multiply(int thread, const float* a, const float* b) {
    float fa[kRows], fb[kColumns];
#pragma unroll
    for (int i = 0; i < kRows; i += kRowGroup) {
      const auto pack = load_pack<kRowGroup>(a + row(thread, i));
#pragma unroll
      for (int e = 0; e < kRowGroup; ++e) fa[i + e] = pack.v[e];
    }
#pragma unroll
    for (int j = 0; j < kColumns; j += kColumnGroup) {
      const auto pack = load_pack<kColumnGroup>(b + column(thread, j));
#pragma unroll
      for (int e = 0; e < kColumnGroup; ++e) fb[j + e] = pack.v[e];
    }
#pragma unroll
    for (int i = 0; i < kRows; ++i) {
#pragma unroll
      for (int j = 0; j < kColumns; ++j) sum[i][j] = fmaf(fa[i], fb[j], sum[i][j]);
    }
  }
};

}  // namespace ebb::EBB_GPU_NAMESPACE
