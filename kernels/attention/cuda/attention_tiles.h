#pragma once

// Shared by the attention kernels. A block owns kAttentionRows tokens ("rows": queries, or keys in
// the pass for the gradients of keys) of one image and head and loops over the tokens of the other
// side in tiles of kAttentionColumns. A warp takes kRowsPerWarp rows; in scores a lane is a column,
// in sums over columns a lane is every 32nd number of the head.

#include "kernels/attention/attention.h"
#include "kernels/cuda/elements.h"
#include "kernels/cuda/reduce.h"

namespace ebb::EBB_GPU_NAMESPACE {

inline constexpr int kAttentionWarps = 4, kRowsPerWarp = 4;
inline constexpr int kAttentionThreads = 32 * kAttentionWarps;
inline constexpr int kAttentionRows = kAttentionWarps * kRowsPerWarp, kAttentionColumns = 32;

// Tokens of one image and head: row j lies at data + j * pitch.
template <class T>
struct TokenRows {
  T* data;
  int64_t pitch;
  int64_t count;

  SIMT_DEVICE T* row(int64_t j) const { return data + j * pitch; }
  // The same rows without their first numbers.
  SIMT_DEVICE TokenRows from(int64_t number) const { return {data + number, pitch, count}; }
};

// The same for [extra, own] keys.
template <class T>
struct KeyRows {
  TokenRows<T> extra, own;

  SIMT_DEVICE T* row(int64_t j) const {
    return j < extra.count ? extra.row(j) : own.row(j - extra.count);
  }
  SIMT_DEVICE KeyRows from(int64_t number) const { return {extra.from(number), own.from(number)}; }
};

template <class T>
SIMT_DEVICE TokenRows<T> query_rows(const AttentionSize& s, T* base, int64_t pitch, int64_t image,
                                    int64_t head) {
  return {base + image * s.queries * pitch + head * s.d, pitch, s.queries};
}
template <class T>
SIMT_DEVICE KeyRows<T> key_rows(const AttentionSize& s, T* extra, T* own, int64_t image,
                                int64_t head) {
  return {{extra + image * s.extra * s.extra_pitch + head * s.d, s.extra_pitch, s.extra},
          {own + image * s.keys * s.kv_pitch + head * s.d, s.kv_pitch, s.keys}};
}

// kRows tokens of kD numbers in shared memory, zero beyond the last token and the last number. The
// row length is odd, so that lanes reading one number of different rows meet no bank conflict.
template <int kRows, int kD>
struct TokenTile {
  float v[kRows][kD + 1];

  // All threads of the block take part; the caller puts the barriers around it.
  template <class Rows>
  SIMT_DEVICE void load(const Rows& rows, int64_t first, int64_t count, int64_t d) {
    for (int i = threadIdx.x; i < kRows * kD; i += kAttentionThreads) {
      const int row = i / kD, e = i % kD;
      const bool inside = first + row < count && e < d;
      v[row][e] = inside ? to_float(rows.row(first + row)[e]) : 0.0f;
    }
  }
};

// product[r] += <a[row of the warp], b[lane]>.
template <int kD>
SIMT_DEVICE void dot_rows(const TokenTile<kAttentionRows, kD>& a,
                          const TokenTile<kAttentionColumns, kD>& b,
                          float (&product)[kRowsPerWarp]) {
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  for (int e = 0; e < kD; ++e) {
    const float column = b.v[lane][e];
    for (int r = 0; r < kRowsPerWarp; ++r) {
      product[r] = fmaf(a.v[warp * kRowsPerWarp + r][e], column, product[r]);
    }
  }
}

// Numbers lane, lane + 32, ... of the warp's rows.
template <int kD>
struct RowSums {
  static constexpr int kPerLane = (kD + 31) / 32;
  float v[kRowsPerWarp][kPerLane];

  SIMT_DEVICE void clear() {
    for (int r = 0; r < kRowsPerWarp; ++r) {
      for (int e = 0; e < kPerLane; ++e) v[r][e] = 0;
    }
  }

  SIMT_DEVICE void scale_row(int r, float factor) {
    for (int e = 0; e < kPerLane; ++e) v[r][e] *= factor;
  }

  // v[r] += sum over columns of weight[r] (held by the column's lane) * b[column].
  SIMT_DEVICE void add(const float (&weight)[kRowsPerWarp],
                       const TokenTile<kAttentionColumns, kD>& b) {
    const int lane = threadIdx.x % 32;
    for (int column = 0; column < kAttentionColumns; ++column) {
      for (int r = 0; r < kRowsPerWarp; ++r) {
        const float w = __shfl_sync(kAllLanes, weight[r], column);
        for (int e = 0; e < kPerLane; ++e) {
          if (e * 32 + lane < kD) v[r][e] = fmaf(w, b.v[column][e * 32 + lane], v[r][e]);
        }
      }
    }
  }

  // Stores factor(r) * v[r] into the warp's rows below count.
  template <class Rows, class Factor>
  SIMT_DEVICE void store(const Rows& rows, int64_t first, int64_t count, int64_t d,
                         const Factor& factor) const {
    const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
    for (int r = 0; r < kRowsPerWarp; ++r) {
      const int64_t row = first + warp * kRowsPerWarp + r;
      for (int e = 0; e < kPerLane; ++e) {
        const int number = e * 32 + lane;
        if (row < count && number < d) store_number(rows.row(row) + number, factor(r) * v[r][e]);
      }
    }
  }

 private:
  template <class T>
  SIMT_DEVICE static void store_number(T* to, float value) {
    *to = from_float<T>(value);
  }
};

// Width of the tiles that hold a head's numbers; wide: one slice of them at a time.
template <int kTile, bool kWide_>
struct HeadTiles {
  static constexpr int kD = kTile;
  static constexpr bool kWide = kWide_;
};

// Calls body with the smallest HeadTiles that hold heads of d numbers.
template <class Body>
void for_head_dim(int64_t d, const Body& body) {
  if (d <= 32) return body(HeadTiles<32, false>{});
  if (d <= 64) return body(HeadTiles<64, false>{});
  if (d <= 128) return body(HeadTiles<128, false>{});
  return body(HeadTiles<128, true>{});
}

}  // namespace ebb::EBB_GPU_NAMESPACE
