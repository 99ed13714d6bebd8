#pragma once

#include "kernels/cuda/grid.h"
#include "kernels/norm/row_moments.h"

namespace ebb::EBB_GPU_NAMESPACE {

// Division of [rows, C] for statistics: a block takes kBatchNormChannels channels of one chunk of
// rows, in tiles of kBatchNormTileRows rows that its threads hold in registers.
inline constexpr int kBatchNormChannels = 32, kBatchNormLanes = 8, kBatchNormRowsPerThread = 16;
inline constexpr int kBatchNormTileRows = kBatchNormLanes * kBatchNormRowsPerThread;
inline constexpr int64_t kBatchNormMaxChunks = 256;

// Sums of dz and dz * (x - mean) of one channel over a chunk.
struct alignas(16) GradientSums {
  double dz, product;
};

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

  // Workspace: per chunk and channel moments or gradient sums, [chunks, C]; then up to
  // kCoefficients of each channel, [kCoefficients, C] in f32.
  static constexpr int64_t kCoefficients = 5;
  RowMoments* moments(void* workspace) const { return static_cast<RowMoments*>(workspace); }
  GradientSums* sums(void* workspace) const { return static_cast<GradientSums*>(workspace); }
  static_assert(sizeof(RowMoments) == sizeof(GradientSums));
  float* coefficients(void* workspace) const {
    return reinterpret_cast<float*>(sums(workspace) + chunks * c);
  }
  int64_t workspace_bytes() const {
    return chunks * c * static_cast<int64_t>(sizeof(GradientSums)) +
           kCoefficients * c * static_cast<int64_t>(sizeof(float));
  }
};

}  // namespace ebb::EBB_GPU_NAMESPACE
