#include "kernels/conv/cpu/conv_direct_simd.h"

#include <algorithm>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/conv/cpu/conv_direct_simd.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "kernels/conv/cpu/conv_strip-inl.h"

HWY_BEFORE_NAMESPACE();
namespace ebb::HWY_NAMESPACE {

// Sums one strip over all taps and input channels into tile [kRows][kVectors * kLanes]. Not
// inlined: code around the loops would take registers away from the sums.
template <int kRows, int kVectors>
HWY_NOINLINE void SumStrip(const Strip<kRows>& strip, const DirectRun& run, const TapPhase& phase,
                           const float* w, float* tile) {
  const ptrdiff_t channels = run.list.in.c;
  Vector sum[kRows][kVectors];
  ZeroTile(sum);
  for (int64_t ty = 0; ty < phase.y.taps; ++ty) {
    for (int64_t tx = 0; tx < phase.x.taps; ++tx, w += channels * kVectors * kLanes) {
      const float* row[kRows];
      strip.Rows(ty, tx, run.zeros, row);
      TileProduct(row, w, channels, sum);
    }
  }
  StoreTile(sum, tile, kVectors * kLanes);
}
template <int kVectors>
void Strips(const DirectRun& run, const PhaseTable& table, int64_t block, int64_t begin,
            int64_t end, const float* w) {
  constexpr int64_t kWidth = kVectors * kLanes;
  const int64_t first_channel = block * kTileVectors * kLanes;
  const int64_t channels = std::min(kWidth, run.list.out.c - first_channel);
  HWY_ALIGN float tile[kTileRows * kWidth];
  GridPoint point(table.phase, begin);
  for (int64_t p = begin; p < end; p += kTileRows) {
    const int64_t rows = std::min<int64_t>(kTileRows, end - p);
    Strip<kTileRows> strip;
    strip.Set(run, table, point, rows, first_channel);
    PrefetchOutput(strip.to, channels);
    SumStrip<kTileRows, kVectors>(strip, run, table.phase, w, tile);
    EpilogueRows(run.epilogue.activation, tile, kWidth, rows, run.epilogue.bias + first_channel,
                 channels, strip.to);
  }
}

void DirectStrips(const DirectRun& run, int64_t phase, int64_t block, int64_t begin, int64_t end,
                  const float* w) {
  const PhaseTable& table = run.phases[phase];
  const int64_t channels = run.list.out.c - block * kTileVectors * kLanes;
  const int64_t vectors = (channels + kLanes - 1) / kLanes;
  if (vectors == 1) return Strips<1>(run, table, block, begin, end, w);
#if EBB_32_VECTOR_REGISTERS
  if (vectors == 2) return Strips<2>(run, table, block, begin, end, w);
  if (vectors == 3) return Strips<3>(run, table, block, begin, end, w);
#endif
  Strips<kTileVectors>(run, table, block, begin, end, w);
}

template <typename T>
void NarrowTo(const float* from, int64_t count, T* to) {
  const hn::Rebind<T, F32> half;
  for (int64_t i = 0; i < count; i += kLanes) {
    hn::StoreU(hn::DemoteTo(half, hn::LoadU(kF32, from + i)), half, to + i);
  }
}

void NarrowWeights(const float* from, int64_t count, DType dtype, void* to) {
  if (dtype == DType::kF16) return NarrowTo(from, count, static_cast<hwy::float16_t*>(to));
  NarrowTo(from, count, static_cast<hwy::bfloat16_t*>(to));
}

template <typename T>
void WidenFrom(const T* from, int64_t count, float* to) {
  for (int64_t i = 0; i < count; i += kLanes) hn::StoreU(LoadWeights(from + i), kF32, to + i);
}

void WidenWeights(const void* from, DType dtype, int64_t count, float* to) {
  if (dtype == DType::kF16) return WidenFrom(static_cast<const hwy::float16_t*>(from), count, to);
  WidenFrom(static_cast<const hwy::bfloat16_t*>(from), count, to);
}
cpu::DirectTile DirectTileOfTarget() { return {kTileRows, kLanes, kTileVectors}; }

}  // namespace ebb::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ebb {

HWY_EXPORT(DirectStrips);
HWY_EXPORT(DirectTileOfTarget);
HWY_EXPORT(NarrowWeights);
HWY_EXPORT(WidenWeights);

namespace cpu {

DirectTile direct_tile() { return HWY_DYNAMIC_DISPATCH(DirectTileOfTarget)(); }

void direct_strips(const DirectRun& run, int64_t phase, int64_t block, int64_t begin, int64_t end,
                   const float* w) {
  HWY_DYNAMIC_DISPATCH(DirectStrips)(run, phase, block, begin, end, w);
}

void narrow_weights(const float* from, int64_t count, DType dtype, void* to) {
  HWY_DYNAMIC_DISPATCH(NarrowWeights)(from, count, dtype, to);
}

void widen_weights(const void* from, DType dtype, int64_t count, float* to) {
  HWY_DYNAMIC_DISPATCH(WidenWeights)(from, dtype, count, to);
}

}  // namespace cpu
}  // namespace ebb
#endif
