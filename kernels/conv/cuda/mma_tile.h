#pragma once

#include "kernels/cuda/elements.h"

// A warp's tile of sums on tensor cores: kM x kN elements from operands in shared memory whose rows
// are cut into chunks of 16 bytes (8 elements of 16 bits, 4 of 32).
namespace ebb::EBB_GPU_NAMESPACE {

using Chunk = uint4;

template <class T>
inline constexpr int kChunkElements = static_cast<int>(sizeof(Chunk) / sizeof(T));

// d += a * b for 16 x 8 sums and two chunks of k.
SIMT_DEVICE void multiply_fragments(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2],
                                    __nv_bfloat16) {
  simt::mma_m16n8k16_bf16(d, a, b);
}
SIMT_DEVICE void multiply_fragments(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2],
                                    __half) {
  simt::mma_m16n8k16_f16(d, a, b);
}
SIMT_DEVICE void multiply_fragments(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2],
                                    float) {
  simt::mma_m16n8k8_tf32(d, a, b);
}

// Tensor cores ignore the low bits of a tf32 operand: rounding them first halves the error.
template <class T, int kCount>
SIMT_DEVICE void round_operand(uint32_t (&r)[kCount]) {
  if constexpr (std::is_same_v<T, float>) {
#pragma unroll
    for (int i = 0; i < kCount; ++i) r[i] = simt::to_tf32(__uint_as_float(r[i]));
  }
}

template <class T, int kM, int kN>
struct WarpTile {
  static constexpr int kRowBlocks = kM / 16, kColumnBlocks = kN / 8;
  static_assert(kM % 16 == 0 && kN % 16 == 0);

  float sum[kRowBlocks][kColumnBlocks][4] = {};

  // Adds the products of two chunks of k. a_row(m) and b_row(n) give the address of chunk c of a
  // row of the tile: a(m, c), b(n, c) with k running along the chunks.
  template <class A, class B>
  SIMT_DEVICE void multiply(int lane, const A& a, const B& b) {
    uint32_t fb[kColumnBlocks / 2][4];
#pragma unroll
    for (int j = 0; j < kColumnBlocks / 2; ++j) {
      simt::ldmatrix_x4(fb[j], b(j * 16 + lane % 8 + lane / 16 * 8, lane / 8 % 2));
      round_operand<T>(fb[j]);
    }
#pragma unroll
    for (int i = 0; i < kRowBlocks; ++i) {
      uint32_t fa[4];
      simt::ldmatrix_x4(fa, a(i * 16 + lane % 16, lane / 16));
      round_operand<T>(fa);
      multiply_row(i, fa, fb);
    }
  }

  // The same for 16-bit operands with k running along the rows: a(k, c) and b(k, c) give the
  // address of chunk c of row k, of 16 rows.
  template <class A, class B>
  SIMT_DEVICE void multiply_transposed(int lane, const A& a, const B& b) {
    static_assert(sizeof(T) == 2);
    uint32_t fb[kColumnBlocks / 2][4];
#pragma unroll
    for (int j = 0; j < kColumnBlocks / 2; ++j) {
      simt::ldmatrix_x4_trans(fb[j], b(lane % 16, j * 2 + lane / 16));
    }
#pragma unroll
    for (int i = 0; i < kRowBlocks; ++i) {
      uint32_t fa[4];
      simt::ldmatrix_x4_trans(fa, a(lane % 8 + lane / 16 * 8, i * 2 + lane / 8 % 2));
      multiply_row(i, fa, fb);
    }
  }

  // The same for f32 and 8 rows of k: a(k, m) and b(k, n) are elements. Without conflicts when rows
  // lie 8 banks apart.
  template <class A, class B>
  SIMT_DEVICE void multiply_elements(int lane, const A& a, const B& b) {
    static_assert(sizeof(T) == 4);
    const int k = lane % 4, row = lane / 4;
    uint32_t fb[kColumnBlocks / 2][4];
#pragma unroll
    for (int j = 0; j < kColumnBlocks / 2; ++j) {
#pragma unroll
      for (int e = 0; e < 4; ++e) {
        fb[j][e] = simt::to_tf32(b(k + e % 2 * 4, j * 16 + e / 2 * 8 + row));
      }
    }
#pragma unroll
    for (int i = 0; i < kRowBlocks; ++i) {
      uint32_t fa[4];
#pragma unroll
      for (int e = 0; e < 4; ++e) {
        fa[e] = simt::to_tf32(a(k + e / 2 * 4, i * 16 + e % 2 * 8 + row));
      }
      multiply_row(i, fa, fb);
    }
  }

  // Calls visit(row, column, sums of two neighboring columns) for all of the lane's sums.
  template <class Visit>
  SIMT_DEVICE void for_each_pair(int lane, const Visit& visit) const {
#pragma unroll
    for (int i = 0; i < kRowBlocks; ++i) {
#pragma unroll
      for (int half = 0; half < 2; ++half) {
#pragma unroll
        for (int j = 0; j < kColumnBlocks; ++j) {
          const float pair[2] = {sum[i][j][half * 2], sum[i][j][half * 2 + 1]};
          visit(i * 16 + half * 8 + lane / 4, j * 8 + lane % 4 * 2, pair);
        }
      }
    }
  }

 private:
  SIMT_DEVICE void multiply_row(int i, const uint32_t (&fa)[4],
                                const uint32_t (&fb)[kColumnBlocks / 2][4]) {
#pragma unroll
    for (int j = 0; j < kColumnBlocks; ++j) {
      const uint32_t pair[2] = {fb[j / 2][j % 2 * 2], fb[j / 2][j % 2 * 2 + 1]};
      multiply_fragments(sum[i][j], fa, pair, T{});
    }
  }
};

// A chunk of channels at `from`, of which `count` exist, without asking for alignment.
template <class T>
SIMT_DEVICE Chunk gather_chunk(const T* from, int count) {
  Pack<T, kChunkElements<T>> pack = {};
#pragma unroll
  for (int i = 0; i < kChunkElements<T>; ++i) {
    if (i < count) pack.v[i] = from[i];
  }
  Chunk chunk;
  static_assert(sizeof(pack) == sizeof(chunk));
  memcpy(&chunk, &pack, sizeof(chunk));
  return chunk;
}

}  // namespace ebb::EBB_GPU_NAMESPACE
