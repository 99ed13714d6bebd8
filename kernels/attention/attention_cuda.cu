#include "kernels/attention/attention.h"
#include "kernels/attention/cuda/attention_plan.h"
#include "kernels/attention/cuda/attention_tiles.h"
#include "kernels/cuda/grid.h"

namespace ebb::EBB_GPU_NAMESPACE {
namespace {

// blockIdx.x: tile of rows; blockIdx.y: image and head; blockIdx.z: of heads wider than a tile, the
// slice of kD numbers whose results the block computes. Such a block needs all slices for its
// products, and loads them one after another; its own again for the sums.
SIMT_DEVICE int64_t first_row() { return int64_t{blockIdx.x} * kAttentionRows; }

// s_ij of row i of the warp and the lane's column; -infinity beyond the last key.
template <class Args>
SIMT_DEVICE float score(const Args& args, int64_t head, int64_t i, int64_t j, float product) {
  const AttentionSize& s = args.size;
  if (j >= s.all_keys()) return -INFINITY;
  const float biased = args.bias == nullptr || i >= s.queries
                           ? 0.0f
                           : args.bias[(head * s.queries + i) * s.all_keys() + j];
  return product * args.scale + biased;
}

// Least blocks of an SM; 0: ptxas chooses. For wide heads it would spill to make room for a second.
template <bool kWide>
constexpr int kBlocks = kWide ? 1 : 0;

template <int kD>
struct ForwardShared {
  TokenTile<kAttentionRows, kD> q;
  TokenTile<kAttentionColumns, kD> k, v;
};

// Flash attention: keys pass by tile by tile, with a running maximum and sum per query.
template <class T, int kD, bool kWide>
__global__ void __launch_bounds__(kAttentionThreads, kBlocks<kWide>)
    attention_forward_kernel(AttentionForwardArgs args) {
  SIMT_DYNAMIC_SHARED(ForwardShared<kD>, shared);
  const AttentionSize& s = args.size;
  const int64_t image = blockIdx.y / s.heads, head = blockIdx.y % s.heads, first = first_row();
  const int lane = threadIdx.x % 32, warp_row = threadIdx.x / 32 * kRowsPerWarp;
  const auto q = query_rows(s, static_cast<const T*>(args.q), s.q_pitch, image, head);
  const auto o = query_rows(s, static_cast<T*>(args.o), s.o_pitch, image, head);
  const auto k =
      key_rows(s, static_cast<const T*>(args.extra_k), static_cast<const T*>(args.k), image, head);
  const auto v =
      key_rows(s, static_cast<const T*>(args.extra_v), static_cast<const T*>(args.v), image, head);
  if (!kWide) shared->q.load(q, first, s.queries, s.d);
  float row_max[kRowsPerWarp], sum[kRowsPerWarp];
  const int64_t own = kWide ? int64_t{blockIdx.z} * kD : 0;  // the first number of the slice
  RowSums<kD> result;
  result.clear();
  for (int r = 0; r < kRowsPerWarp; ++r) {
    row_max[r] = -INFINITY;
    sum[r] = 0;
  }
  const int64_t numbers = kWide ? s.d : kD;
  for (int64_t column = 0; column < s.all_keys(); column += kAttentionColumns) {
    float p[kRowsPerWarp] = {};
    for (int64_t e = 0; e < numbers; e += kD) {
      __syncthreads();  // the previous tile may still be read
      if (kWide) shared->q.load(q.from(e), first, s.queries, s.d - e);
      shared->k.load(k.from(e), column, s.all_keys(), s.d - e);
      if (!kWide) shared->v.load(v, column, s.all_keys(), s.d);
      __syncthreads();
      dot_rows<kD>(shared->q, shared->k, p);
    }
    for (int r = 0; r < kRowsPerWarp; ++r) {
      const float value = score(args, head, first + warp_row + r, column + lane, p[r]);
      const float new_max = fmaxf(row_max[r], warp_max(value));
      const float base = new_max == -INFINITY ? 0.0f : new_max;  // only masked keys so far
      const float scale = expf(row_max[r] - base);
      p[r] = expf(value - base);
      sum[r] = sum[r] * scale + warp_sum(p[r]);
      row_max[r] = new_max;
      result.scale_row(r, scale);
    }
    if (kWide) {
      __syncthreads();
      shared->v.load(v.from(own), column, s.all_keys(), s.d - own);
      __syncthreads();
    }
    result.add(p, shared->v);
  }
  result.store(o.from(own), first, s.queries, s.d - own, [&](int r) { return 1.0f / sum[r]; });
  if (args.lse == nullptr || lane != 0 || own != 0) return;
  for (int r = 0; r < kRowsPerWarp; ++r) {
    const int64_t i = first + warp_row + r;
    if (i < s.queries) args.lse[int64_t{blockIdx.y} * s.queries + i] = row_max[r] + logf(sum[r]);
  }
}

// delta_i = <do_i, o_i>, one warp per query of one image and head.
template <class T>
__global__ void __launch_bounds__(kAttentionThreads)
    attention_delta_kernel(AttentionBackwardArgs args, float* delta) {
  const AttentionSize& s = args.size;
  const int64_t image = blockIdx.y / s.heads, head = blockIdx.y % s.heads;
  const auto o = query_rows(s, static_cast<const T*>(args.o), s.o_pitch, image, head);
  const auto d_o = query_rows(s, static_cast<const T*>(args.d_o), s.o_pitch, image, head);
  const int64_t i = int64_t{blockIdx.x} * kAttentionWarps + threadIdx.x / 32;
  float sum = 0;
  for (int64_t e = threadIdx.x % 32; i < s.queries && e < s.d; e += 32) {
    sum += to_float(o.row(i)[e]) * to_float(d_o.row(i)[e]);
  }
  sum = warp_sum(sum);
  if (i < s.queries && threadIdx.x % 32 == 0) delta[int64_t{blockIdx.y} * s.queries + i] = sum;
}

template <int kD>
struct BackwardShared {
  TokenTile<kAttentionRows, kD> row_a, row_b;  // q and do, or k and v
  TokenTile<kAttentionColumns, kD> column_a, column_b;

  template <class Rows>
  SIMT_DEVICE void load_rows(const Rows& a, const Rows& b, int64_t first, int64_t count,
                             int64_t d) {
    row_a.load(a, first, count, d);
    row_b.load(b, first, count, d);
  }
  template <class Rows>
  SIMT_DEVICE void load_columns(const Rows& a, const Rows& b, int64_t first, int64_t count,
                                int64_t d) {
    column_a.load(a, first, count, d);
    column_b.load(b, first, count, d);
  }
};

// dq: rows are queries, columns keys.
template <class T, int kD, bool kWide>
__global__ void __launch_bounds__(kAttentionThreads, kBlocks<kWide>)
    attention_query_gradient_kernel(AttentionBackwardArgs args, const float* delta) {
  SIMT_DYNAMIC_SHARED(BackwardShared<kD>, shared);
  const AttentionSize& s = args.size;
  const int64_t image = blockIdx.y / s.heads, head = blockIdx.y % s.heads, first = first_row();
  const int lane = threadIdx.x % 32, warp_row = threadIdx.x / 32 * kRowsPerWarp;
  const auto q = query_rows(s, static_cast<const T*>(args.q), s.q_pitch, image, head);
  const auto d_o = query_rows(s, static_cast<const T*>(args.d_o), s.o_pitch, image, head);
  const auto dq = query_rows(s, static_cast<T*>(args.dq), s.q_pitch, image, head);
  const auto k =
      key_rows(s, static_cast<const T*>(args.extra_k), static_cast<const T*>(args.k), image, head);
  const auto v =
      key_rows(s, static_cast<const T*>(args.extra_v), static_cast<const T*>(args.v), image, head);
  if (!kWide) shared->load_rows(q, d_o, first, s.queries, s.d);
  const int64_t own = kWide ? int64_t{blockIdx.z} * kD : 0;  // the first number of the slice
  RowSums<kD> result;
  result.clear();
  const int64_t numbers = kWide ? s.d : kD;
  for (int64_t column = 0; column < s.all_keys(); column += kAttentionColumns) {
    float ds[kRowsPerWarp] = {}, product[kRowsPerWarp] = {};
    for (int64_t e = 0; e < numbers; e += kD) {
      __syncthreads();  // the previous tile may still be read
      if (kWide) shared->load_rows(q.from(e), d_o.from(e), first, s.queries, s.d - e);
      shared->load_columns(k.from(e), v.from(e), column, s.all_keys(), s.d - e);
      __syncthreads();
      dot_rows<kD>(shared->row_a, shared->column_a, ds);
      dot_rows<kD>(shared->row_b, shared->column_b, product);
    }
    for (int r = 0; r < kRowsPerWarp; ++r) {
      const int64_t i = first + warp_row + r, at = int64_t{blockIdx.y} * s.queries + i;
      if (i < s.queries) {
        const float p = expf(score(args, head, i, column + lane, ds[r]) - args.lse[at]);
        ds[r] = p * (product[r] - delta[at]);
      } else {
        ds[r] = 0;
      }
    }
    if (kWide) {
      __syncthreads();
      shared->column_a.load(k.from(own), column, s.all_keys(), s.d - own);
      __syncthreads();
    }
    result.add(ds, shared->column_a);
  }
  result.store(dq.from(own), first, s.queries, s.d - own, [&](int) { return args.scale; });
}

// dk and dv: rows are keys, columns queries.
template <class T, int kD, bool kWide>
__global__ void __launch_bounds__(kAttentionThreads, kBlocks<kWide>)
    attention_key_gradient_kernel(AttentionBackwardArgs args, const float* delta) {
  SIMT_DYNAMIC_SHARED(BackwardShared<kD>, shared);
  const AttentionSize& s = args.size;
  const int64_t image = blockIdx.y / s.heads, head = blockIdx.y % s.heads, first = first_row();
  const int lane = threadIdx.x % 32, warp_row = threadIdx.x / 32 * kRowsPerWarp;
  const auto q = query_rows(s, static_cast<const T*>(args.q), s.q_pitch, image, head);
  const auto d_o = query_rows(s, static_cast<const T*>(args.d_o), s.o_pitch, image, head);
  const auto k =
      key_rows(s, static_cast<const T*>(args.extra_k), static_cast<const T*>(args.k), image, head);
  const auto v =
      key_rows(s, static_cast<const T*>(args.extra_v), static_cast<const T*>(args.v), image, head);
  const auto dk =
      key_rows(s, static_cast<T*>(args.dextra_k), static_cast<T*>(args.dk), image, head);
  const auto dv =
      key_rows(s, static_cast<T*>(args.dextra_v), static_cast<T*>(args.dv), image, head);
  if (!kWide) shared->load_rows(k, v, first, s.all_keys(), s.d);
  const int64_t own = kWide ? int64_t{blockIdx.z} * kD : 0;
  RowSums<kD> key_sum, value_sum;
  key_sum.clear();
  value_sum.clear();
  const int64_t numbers = kWide ? s.d : kD;
  for (int64_t column = 0; column < s.queries; column += kAttentionColumns) {
    float ds[kRowsPerWarp] = {}, product[kRowsPerWarp] = {}, p[kRowsPerWarp];
    for (int64_t e = 0; e < numbers; e += kD) {
      __syncthreads();  // the previous tile may still be read
      if (kWide) shared->load_rows(k.from(e), v.from(e), first, s.all_keys(), s.d - e);
      shared->load_columns(q.from(e), d_o.from(e), column, s.queries, s.d - e);
      __syncthreads();
      dot_rows<kD>(shared->row_a, shared->column_a, ds);
      dot_rows<kD>(shared->row_b, shared->column_b, product);
    }
    const int64_t i = column + lane, at = int64_t{blockIdx.y} * s.queries + i;
    const float lse = i < s.queries ? args.lse[at] : 0.0f;
    const float mean = i < s.queries ? delta[at] : 0.0f;
    for (int r = 0; r < kRowsPerWarp; ++r) {
      const float value = score(args, head, i, first + warp_row + r, ds[r]);
      p[r] = i < s.queries ? expf(value - lse) : 0.0f;
      ds[r] = p[r] * (product[r] - mean);
    }
    if (kWide) {
      __syncthreads();
      shared->load_columns(q.from(own), d_o.from(own), column, s.queries, s.d - own);
      __syncthreads();
    }
    key_sum.add(ds, shared->column_a);
    value_sum.add(p, shared->column_b);
  }
  key_sum.store(dk.from(own), first, s.all_keys(), s.d - own, [&](int) { return args.scale; });
  value_sum.store(dv.from(own), first, s.all_keys(), s.d - own, [&](int) { return 1.0f; });
}

void require_sizes(const AttentionSize& s) {
  EBB_CHECK(s.d >= 1 && s.d <= AttentionSize::kMaxHeadDim && s.all_keys() >= 1 &&
                s.b * s.heads <= kMaxGridY,
            ShapeError, "cuda kernels: attention takes heads of 1..", AttentionSize::kMaxHeadDim,
            " numbers, at least one key and up to ", kMaxGridY, " heads in all, got ", s.d, ", ",
            s.all_keys(), " keys and ", s.b * s.heads, " heads");
}

simt::LaunchConfig config(const char* name, const AttentionSize& s, int64_t rows,
                          int64_t rows_per_block, int64_t slices, int64_t shared_bytes,
                          KernelStream stream) {
  return {.name = name,
          .grid = dim3(static_cast<unsigned>(ceil_div(rows, rows_per_block)),
                       static_cast<unsigned>(s.b * s.heads), static_cast<unsigned>(slices)),
          .block = dim3(kAttentionThreads),
          .shared_bytes = shared_bytes,
          .stream = stream};
}

}  // namespace

void attention_forward(const AttentionForwardArgs& args, KernelStream stream) {
  const AttentionSize& s = args.size;
  require_sizes(s);
  if (attention_algorithm(args) == AttentionAlgorithm::kMma) {
    return attention_mma_forward(args, stream);
  }
  for_dtype("attention", args.dtype, [&](auto type) {
    for_head_dim(s.d, [&](auto tiles) {
      constexpr int kD = decltype(tiles)::kD;
      constexpr bool kWide = decltype(tiles)::kWide;
      const int64_t slices = ceil_div(s.d, kD);
      simt::launch(config("attention_forward", s, s.queries, kAttentionRows, slices,
                          sizeof(ForwardShared<kD>), stream),
                   attention_forward_kernel<decltype(type), kD, kWide>, args);
    });
  });
}

void attention_backward(const AttentionBackwardArgs& args, KernelStream stream) {
  const AttentionSize& s = args.size;
  require_sizes(s);
  float* delta = static_cast<float*>(args.workspace);  // [B, heads, queries]
  for_dtype("attention", args.dtype, [&](auto type) {
    using T = decltype(type);
    simt::launch(config("attention_delta", s, s.queries, kAttentionWarps, 1, 0, stream),
                 attention_delta_kernel<T>, args, delta);
    for_head_dim(s.d, [&](auto tiles) {
      constexpr int kD = decltype(tiles)::kD;
      constexpr bool kWide = decltype(tiles)::kWide;
      const int64_t slices = ceil_div(s.d, kD);
      constexpr int64_t kBytes = sizeof(BackwardShared<kD>);
      simt::launch(
          config("attention_query_gradient", s, s.queries, kAttentionRows, slices, kBytes, stream),
          attention_query_gradient_kernel<T, kD, kWide>, args, delta);
      simt::launch(
          config("attention_key_gradient", s, s.all_keys(), kAttentionRows, slices, kBytes, stream),
          attention_key_gradient_kernel<T, kD, kWide>, args, delta);
    });
  });
}

}  // namespace ebb::EBB_GPU_NAMESPACE
