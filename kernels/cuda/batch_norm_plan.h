#pragma once

#include "kernels/cuda/grid.h"
#include "kernels/row_moments.h"

namespace ebb::EBB_GPU_NAMESPACE {

// How statistics over [rows, C] are cut: a block takes kBatchNormChannels channels of one chunk of
// rows and walks through it in tiles of kBatchNormTileRows rows that its threads hold in registers.
inline constexpr int kBatchNormChannels = 32, kBatchNormLanes = 8, kBatchNormRowsPerThread = 16;
inline constexpr int kBatchNormTileRows = kBatchNormLanes * kBatchNormRowsPerThread;
inline constexpr int64_t kBatchNormMaxChunks = 256;

struct BatchNormPlan {
  int64_t rows, c;
  int64_t chunks, chunk_rows;

  BatchNormPlan(int64_t rows_in, int64_t c_in) : rows(rows_in), c(c_in) {
    const int64_t tiles = ceil_div(rows, kBatchNormTileRows);
    const int64_t tiles_per_chunk = ceil_div(tiles, kBatchNormMaxChunks);
    chunk_rows = tiles_per_chunk * kBatchNormTileRows;
    chunks = ceil_div(rows, chunk_rows);
  }

  int64_t channel_tiles() const { return ceil_div(c, kBatchNormChannels); }

  // Workspace: per chunk and channel moments, or two sums, [chunks, 2, C] in double; then three
  // coefficients per channel, [3, C] in f32.
  RowMoments* moments(void* workspace) const { return static_cast<RowMoments*>(workspace); }
  double* sums(void* workspace) const { return static_cast<double*>(workspace); }
  static_assert(sizeof(RowMoments) == 2 * sizeof(double));
  float* coefficients(void* workspace) const {
    return reinterpret_cast<float*>(sums(workspace) + chunks * 2 * c);
  }
  int64_t workspace_bytes() const {
    return chunks * 2 * c * static_cast<int64_t>(sizeof(double)) +
           3 * c * static_cast<int64_t>(sizeof(float));
  }
};

}  // namespace ebb::EBB_GPU_NAMESPACE
