#pragma once

// The end of a block's tile in which it says what it has made: count, mean and sum of squared
// deviations of its rows by channel, for a BatchNorm that follows. Centered at the chunk's own mean,
// so that a large common offset costs no accuracy, and joined in the order of rows.

#include "kernels/conv/cuda/conv_pass.h"
#include "kernels/conv/cuda/conv_plan.h"
#include "kernels/norm/cuda/moments.h"

namespace ebb::EBB_GPU_NAMESPACE {

// Every thread takes one column of some rows into registers.
template <int kThreads, int kRows, int kColumns>
class TileMoments {
  static constexpr int kPartRows = kRows * kColumns / kThreads;
  static constexpr int kParts = kConvChunkRows / kPartRows;  // of a chunk
  static_assert(kThreads % kColumns == 0 && kConvChunkRows % kPartRows == 0);
  static_assert(kRows % kConvChunkRows == 0 && kPartRows >= 3);

 public:
  using Tile = SumTile<kRows, kColumns>;

  // rows: of the tile, that exist; row0: the first of them. The values of the tile are lost.
  template <class T, class Barrier>
  static SIMT_DEVICE void write(const ConvPassArgs<T>& args, int first_chunk, int rows, int row0,
                                int column0, int thread, Tile& tile, const Barrier& barrier) {
    const int column = thread % kColumns, first = thread / kColumns * kPartRows;
    const RowMoments part = moments(tile, first, rows - first, column);
    Moments all = widen(part);
    if constexpr (kParts > 1) {
      // In place of the values that only this thread has read.
      tile.v[first][column] = part.mean;
      tile.v[first + 1][column] = part.rest;
      tile.v[first + 2][column] = part.m2;
      barrier();
      if (first % kConvChunkRows != 0) return;
#pragma unroll 1
      for (int next = first + kPartRows; next < first + kConvChunkRows; next += kPartRows) {
        all = merge(all, widen({count_of(rows - next), tile.v[next][column],
                                tile.v[next + 1][column], tile.v[next + 2][column]}));
      }
    }
    const int channel = column0 + column;
    if (rows <= first || channel >= args.list.out.c) return;
    const int64_t chunk = first_chunk + (row0 + first) / kConvChunkRows;
    args.moments[chunk * args.list.out.c + channel] = narrow(all);
  }

 private:
  static SIMT_DEVICE float count_of(int left) {
    return static_cast<float>(max(0, min(left, kPartRows)));
  }

  static SIMT_DEVICE RowMoments moments(const Tile& tile, int first, int left, int column) {
    float value[kPartRows];
    float sum = 0, rest = 0, squares = 0;
#pragma unroll
    for (int i = 0; i < kPartRows; ++i) {
      value[i] = i < left ? tile.v[first + i][column] : 0.0f;
      sum += value[i];
    }
    const float count = count_of(left), inverse = 1.0f / max(count, 1.0f);
    const float mean = sum * inverse;
#pragma unroll
    for (int i = 0; i < kPartRows; ++i) {
      const float deviation = i < left ? value[i] - mean : 0.0f;
      rest += deviation;  // what rounding left of the mean
      squares += deviation * deviation;
    }
    return {count, mean, rest * inverse, squares - rest * rest * inverse};
  }
};

// All threads that finished the tile call it; barrier() joins them.
template <int kThreads, int kRows, int kColumns, class T, class Barrier>
SIMT_DEVICE void write_moments(const ConvPassArgs<T>& args, const Phase32& phase, int phase_number,
                               int row0, int column0, int thread, SumTile<kRows, kColumns>& tile,
                               const Barrier& barrier) {
  if (args.moments == nullptr) return;
  barrier();
  const int chunks = (phase.rows() + kConvChunkRows - 1) / kConvChunkRows;
  TileMoments<kThreads, kRows, kColumns>::write(args, phase_number * chunks, phase.rows() - row0,
                                                row0, column0, thread, tile, barrier);
}

}  // namespace ebb::EBB_GPU_NAMESPACE
