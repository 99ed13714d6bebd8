// The register tile of the weight gradient kernels. Include after hwy/foreach_target.h.

// Per-target include guard.
#if defined(EBB_KERNELS_CPU_CONV_PIXEL_SUM_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef EBB_KERNELS_CPU_CONV_PIXEL_SUM_INL_H_
#undef EBB_KERNELS_CPU_CONV_PIXEL_SUM_INL_H_
#else
#define EBB_KERNELS_CPU_CONV_PIXEL_SUM_INL_H_
#endif

#include "kernels/conv/cpu/conv_tile-inl.h"

HWY_BEFORE_NAMESPACE();
namespace ebb::HWY_NAMESPACE {

// Vectors of the operand read at the grid points. Two, because the packed vectors of a chunk of
// pixels then fit in L1.
constexpr int kWgradVectors = 2;

// out[t, c][...] (+)= sum over n pixels of base[t][offset + c] * row[pixel][...], pixels of row
// `pitch` floats apart; set instead of added to for the first chunk.
template <int kTaps, int kChannels, int kVectors>
HWY_INLINE void SumPixels(const float* const (&base)[kTaps], const int32_t* HWY_RESTRICT offset,
                          const float* HWY_RESTRICT row, ptrdiff_t pitch, int64_t n, bool first,
                          float* HWY_RESTRICT out) {
  constexpr int kRows = kTaps * kChannels;
  Vector sum[kRows][kVectors];
  if (first) {
    ZeroTile(sum);
  } else {
    LoadTile(out, sum);
  }
  const int32_t* const end = offset + n;
  do {
    const ptrdiff_t o = *offset++;
    Vector b[kVectors];
    EBB_UNROLL for (int j = 0; j < kVectors; ++j) b[j] = hn::LoadU(kF32, row + j * kLanes);
    row += pitch;
    EBB_UNROLL for (int t = 0; t < kTaps; ++t) {
      EBB_UNROLL for (int c = 0; c < kChannels; ++c) {
        const Vector a = hn::Set(kF32, base[t][o + c]);
        EBB_UNROLL for (int j = 0; j < kVectors; ++j) {
          sum[t * kChannels + c][j] = hn::MulAdd(a, b[j], sum[t * kChannels + c][j]);
        }
      }
    }
  } while (offset != end);
  StoreTile(sum, out, kVectors * kLanes);
}

}  // namespace ebb::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
