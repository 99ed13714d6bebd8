// The register tile of the convolution kernels and the rows it reads. Include after
// hwy/foreach_target.h.

// Per-target include guard.
#if defined(EBB_KERNELS_CPU_CONV_TILE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef EBB_KERNELS_CPU_CONV_TILE_INL_H_
#undef EBB_KERNELS_CPU_CONV_TILE_INL_H_
#else
#define EBB_KERNELS_CPU_CONV_TILE_INL_H_
#endif

#include <hwy/highway.h>

#include <cstddef>
#include <cstdint>

// AVX-512 and NEON have 32 vector registers, what else is compiled for has 16.
#define EBB_32_VECTOR_REGISTERS (HWY_TARGET <= HWY_AVX3 || HWY_TARGET == HWY_NEON)

HWY_BEFORE_NAMESPACE();
namespace ebb::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;
using F32 = hn::ScalableTag<float>;
using Vector = hn::Vec<F32>;
constexpr F32 kF32;
constexpr int kLanes = static_cast<int>(hn::MaxLanes(F32()));

// 32 vector registers hold 6x4 sums (10 loads per 24 multiply-adds); 16 hold 6x2.
constexpr int kTileRows = 6;
#if EBB_32_VECTOR_REGISTERS
constexpr int kTileVectors = 4;
#else
constexpr int kTileVectors = 2;
#endif

// Loops over register arrays must disappear: an array that is indexed at run time lives in memory.
#define EBB_UNROLL _Pragma("GCC unroll 32")

// A vector of packed weights, whatever their type.
HWY_INLINE Vector LoadWeights(const float* w) { return hn::Load(kF32, w); }
template <typename T>
HWY_INLINE Vector LoadWeights(const T* w) {
  return hn::PromoteTo(kF32, hn::LoadU(hn::Rebind<T, F32>(), w));
}

template <int kRows, int kVectors>
HWY_INLINE void ZeroTile(Vector (&sum)[kRows][kVectors]) {
  EBB_UNROLL for (int i = 0; i < kRows; ++i) {
    EBB_UNROLL for (int j = 0; j < kVectors; ++j) sum[i][j] = hn::Zero(kF32);
  }
}

template <int kRows, int kVectors>
HWY_INLINE void LoadTile(const float* from, Vector (&sum)[kRows][kVectors]) {
  EBB_UNROLL for (int i = 0; i < kRows; ++i) {
    EBB_UNROLL for (int j = 0; j < kVectors; ++j) {
      sum[i][j] = hn::Load(kF32, from + (i * kVectors + j) * kLanes);
    }
  }
}

// from: [kRows][pitch], vector-aligned.
template <int kRows, int kVectors>
HWY_INLINE void LoadTile(const float* from, ptrdiff_t pitch, Vector (&sum)[kRows][kVectors]) {
  EBB_UNROLL for (int i = 0; i < kRows; ++i) {
    EBB_UNROLL for (int j = 0; j < kVectors; ++j) {
      sum[i][j] = hn::Load(kF32, from + i * pitch + j * kLanes);
    }
  }
}

// to: [kRows][pitch], vector-aligned.
template <int kRows, int kVectors>
HWY_INLINE void StoreTile(const Vector (&sum)[kRows][kVectors], float* to, ptrdiff_t pitch) {
  EBB_UNROLL for (int i = 0; i < kRows; ++i) {
    EBB_UNROLL for (int j = 0; j < kVectors; ++j) {
      hn::Store(sum[i][j], kF32, to + i * pitch + j * kLanes);
    }
  }
}

// sum[i] += row[i][c] * w[0 .. kVectors * kLanes)
template <int kRows, int kVectors>
HWY_INLINE void TileStep(const float* const (&row)[kRows], ptrdiff_t c, const float* HWY_RESTRICT w,
                         Vector (&sum)[kRows][kVectors]) {
  Vector b[kVectors];
  EBB_UNROLL for (int j = 0; j < kVectors; ++j) b[j] = hn::Load(kF32, w + j * kLanes);
  EBB_UNROLL for (int i = 0; i < kRows; ++i) {
    const Vector a = hn::Set(kF32, row[i][c]);
    EBB_UNROLL for (int j = 0; j < kVectors; ++j) sum[i][j] = hn::MulAdd(a, b[j], sum[i][j]);
  }
}

// sum[i] += row[i][0 .. channels) * w[channels][kVectors * kLanes]. Four steps per branch: the exit
// of a loop of 64 short steps is mispredicted, that of 16 is not.
template <int kRows, int kVectors>
HWY_INLINE void TileProduct(const float* const (&row)[kRows], const float* HWY_RESTRICT w,
                            ptrdiff_t channels, Vector (&sum)[kRows][kVectors]) {
  constexpr ptrdiff_t kWidth = kVectors * kLanes;
  const ptrdiff_t whole = channels - channels % 4;
  for (ptrdiff_t c = 0; c < whole; c += 4, w += 4 * kWidth) {
    EBB_UNROLL for (int k = 0; k < 4; ++k) TileStep(row, c + k, w + k * kWidth, sum);
  }
  for (ptrdiff_t c = whole; c < channels; ++c, w += kWidth) TileStep(row, c, w, sum);
}

}  // namespace ebb::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
