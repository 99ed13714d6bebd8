#pragma once

#include "kernels/cuda/elements.h"
#include "kernels/cuda/grid.h"

namespace ebb::EBB_GPU_NAMESPACE {

// Loads in flight together.
inline constexpr int kUnroll = 4;

// The elements of [rows, C] that a thread visits: one pack of channels, whose parameters are then
// read once, in every step-th row. Threads beyond the last whole row get none.
template <int kWidth>
struct RowIterator {
  int64_t channel, row, step, end;

  SIMT_DEVICE RowIterator(int64_t rows, int64_t c) {
    const uint32_t packs = static_cast<uint32_t>(c / kWidth), threads = gridDim.x * kThreads;
    const uint32_t thread = blockIdx.x * kThreads + threadIdx.x;
    channel = int64_t{thread % packs} * kWidth;
    row = thread / packs;
    step = threads / packs;
    end = row < step ? rows : 0;
  }

  // The k-th row from `first`, or where there is none, the first: loads without a condition can be
  // in flight together, and no other thread writes there.
  SIMT_DEVICE int64_t row_or_first(int64_t first, int k) const {
    return first + k * step < end ? first + k * step : first;
  }
};

// kWidth values of neighboring channels.
template <int kWidth>
using Values = Pack<float, kWidth>;

// y = f(element of the pack, x) over the rows of a thread. y may be x.
template <int kWidth, class T, class F>
SIMT_DEVICE void map_rows(const RowIterator<kWidth>& rows_of_thread, int64_t c, const T* x, T* y,
                          const F& f) {
  for (int64_t row = rows_of_thread.row; row < rows_of_thread.end;
       row += kUnroll * rows_of_thread.step) {
    Pack<T, kWidth> v[kUnroll];
#pragma unroll
    for (int k = 0; k < kUnroll; ++k) {
      v[k] =
          load_pack<kWidth>(x + rows_of_thread.row_or_first(row, k) * c + rows_of_thread.channel);
    }
#pragma unroll
    for (int k = 0; k < kUnroll; ++k) {
      const int64_t r = row + k * rows_of_thread.step;
      for (int e = 0; e < kWidth; ++e) v[k].v[e] = from_float<T>(f(e, to_float(v[k].v[e])));
      if (r < rows_of_thread.end) store_pack<kWidth>(y + r * c + rows_of_thread.channel, v[k]);
    }
  }
}

}  // namespace ebb::EBB_GPU_NAMESPACE
