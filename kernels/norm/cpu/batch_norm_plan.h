#pragma once

#include <algorithm>
#include <cstdint>

#include "kernels/cpu/parallel.h"

namespace ebb::cpu {

// Division of [rows, C] into chunks (one task each) and of chunks into blocks (summed in f32 before
// they are added in double). Depends on sizes alone, so that results do not depend on the number of
// threads.
struct BatchNormPlan {
  static constexpr int64_t kMaxChunks = 64;        // tasks, and partial results to merge
  static constexpr int64_t kBlockElements = 8192;  // 32 KiB: the second look at a block hits L1
  static constexpr int64_t kMaxBlockRows = 128;    // additions in f32

  int64_t rows, c, block_rows, chunk_rows, chunks;

  BatchNormPlan(int64_t rows_in, int64_t c_in)
      : rows(rows_in),
        c(c_in),
        block_rows(std::clamp<int64_t>(kBlockElements / c, 1, kMaxBlockRows)),
        chunk_rows(ceil_div(ceil_div(rows, block_rows), kMaxChunks) * block_rows),
        chunks(ceil_div(rows, chunk_rows)) {}

  int64_t begin(int64_t chunk) const { return chunk * chunk_rows; }
  int64_t end(int64_t chunk) const { return std::min(begin(chunk) + chunk_rows, rows); }

  // Workspace: per chunk two [C] totals in double and up to four [C] block sums in f32; then up to
  // four [C] coefficients in f32.
  int64_t workspace_bytes() const {
    return (chunks * 4 * c + 2 * c) * static_cast<int64_t>(sizeof(double));
  }
  double* totals(void* workspace, int64_t chunk) const {
    return static_cast<double*>(workspace) + chunk * 4 * c;
  }
  float* block_sums(void* workspace, int64_t chunk) const {
    return reinterpret_cast<float*>(totals(workspace, chunk) + 2 * c);
  }
  float* coefficients(void* workspace) const {
    return reinterpret_cast<float*>(totals(workspace, chunks));
  }

  // Calls body(first_row, row_count) for the blocks of a chunk in order.
  template <typename Body>
  void for_each_block(int64_t chunk, const Body& body) const {
    for (int64_t row = begin(chunk); row < end(chunk); row += block_rows) {
      body(row, std::min(block_rows, end(chunk) - row));
    }
  }
};

}  // namespace ebb::cpu
