// Direct convolutions where one side has few channels.

#include <algorithm>

#include "kernels/conv/cpu/conv_direct_simd.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/conv/cpu/conv_narrow_simd.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "kernels/conv/cpu/conv_strip-inl.h"

HWY_BEFORE_NAMESPACE();
namespace ebb::HWY_NAMESPACE {

// patch[i] = the input of row i: [taps][in channels].
HWY_NOINLINE void GatherPatches(const Strip<kTileRows>& strip, const DirectRun& run,
                                const TapPhase& phase, float (&patch)[kTileRows][cpu::kMaxPatch]) {
  const int64_t channels = run.list.in.c;
  int64_t at = 0;
  for (int64_t ty = 0; ty < phase.y.taps; ++ty) {
    for (int64_t tx = 0; tx < phase.x.taps; ++tx, at += channels) {
      const float* row[kTileRows];
      strip.Rows(ty, tx, run.zeros, row);
      for (int64_t i = 0; i < kTileRows; ++i) {
        for (int64_t c = 0; c < channels; ++c) patch[i][at + c] = row[i][c];
      }
    }
  }
}

template <int kVectors>
HWY_NOINLINE void SumPatches(const float (&patch)[kTileRows][cpu::kMaxPatch], int64_t terms,
                             const float* w, float* tile) {
  const float* row[kTileRows];
  EBB_UNROLL for (int i = 0; i < kTileRows; ++i) row[i] = patch[i];
  Vector sum[kTileRows][kVectors];
  ZeroTile(sum);
  TileProduct(row, w, terms, sum);
  StoreTile(sum, tile, kVectors * kLanes);
}

void SumPatches(const float (&patch)[kTileRows][cpu::kMaxPatch], int64_t terms, const float* w,
                int64_t vectors, float* tile) {
  if (vectors == 1) return SumPatches<1>(patch, terms, w, tile);
#if EBB_32_VECTOR_REGISTERS
  if (vectors == 2) return SumPatches<2>(patch, terms, w, tile);
  if (vectors == 3) return SumPatches<3>(patch, terms, w, tile);
#endif
  SumPatches<kTileVectors>(patch, terms, w, tile);
}

void PatchStrips(const DirectRun& run, int64_t phase_index, int64_t begin, int64_t end) {
  const PhaseTable& table = run.phases[phase_index];
  const int64_t in_c = run.list.in.c, out_c = run.list.out.c, taps = table.phase.taps();
  constexpr int64_t kFull = kTileVectors * kLanes;
  HWY_ALIGN float tile[kTileRows * kFull];
  float patch[kTileRows][cpu::kMaxPatch];
  GridPoint point(table.phase, begin);
  for (int64_t p = begin; p < end; p += kTileRows) {
    const int64_t rows = std::min<int64_t>(kTileRows, end - p);
    Strip<kTileRows> strip;
    strip.Set(run, table, point, rows, 0);
    PrefetchOutput(strip.to, out_c);
    GatherPatches(strip, run, table.phase, patch);
    for (int64_t first = 0; first < out_c; first += kFull) {
      const int64_t channels = std::min(kFull, out_c - first);
      const int64_t vectors = (channels + kLanes - 1) / kLanes, width = vectors * kLanes;
      const float* w = static_cast<const float*>(run.packed) +
                       in_c * (run.total_taps * first + table.taps_before * width);
      SumPatches(patch, taps * in_c, w, vectors, tile);
      EpilogueRows(run.epilogue.activation, tile, width, rows, run.epilogue.bias + first, channels,
                   strip.to);
      for (int64_t i = 0; i < kTileRows; ++i) {
        strip.to.out[i] += channels;
        if (strip.to.residual[i] != nullptr) strip.to.residual[i] += channels;
      }
    }
  }
}

// Pixels of a strip of dot products: eight sums hide the latency of the multiply-add.
constexpr int kDotRows = 8;

// One output channel of a strip: sums[i] = sum over taps and input channels, w advancing by
// w_step floats per tap.
HWY_NOINLINE void DotStrip(const Strip<kDotRows>& strip, const DirectRun& run,
                           const TapPhase& phase, const float* w, int64_t w_step, float* sums) {
  Vector sum[kDotRows];
  EBB_UNROLL for (int i = 0; i < kDotRows; ++i) sum[i] = hn::Zero(kF32);
  for (int64_t ty = 0; ty < phase.y.taps; ++ty) {
    for (int64_t tx = 0; tx < phase.x.taps; ++tx, w += w_step) {
      const float* row[kDotRows];
      strip.Rows(ty, tx, run.zeros, row);
      for (int64_t c = 0; c < run.list.in.c; c += kLanes) {
        const Vector b = hn::Load(kF32, w + c);
        EBB_UNROLL for (int i = 0; i < kDotRows; ++i) {
          sum[i] = hn::MulAdd(hn::LoadU(kF32, row[i] + c), b, sum[i]);
        }
      }
    }
  }
  EBB_UNROLL for (int i = 0; i < kDotRows; ++i) {
    sums[i] = hn::GetLane(hn::SumOfLanes(kF32, sum[i]));
  }
}

// EpiloguePixel with vectors over the pixels of a strip: one channel at offset `channel`.
template <Activation kActivation>
void EpilogueColumn(float* sums, float bias, int64_t channel, int64_t rows,
                    const OutputRows<kDotRows>& to) {
  for (int64_t i = 0; i < rows; ++i) {
    sums[i] += bias;
    if (to.residual[i] != nullptr) sums[i] += to.residual[i][channel];
  }
  const hn::CappedTag<float, kDotRows> d;
  for (size_t i = 0; i < kDotRows; i += hn::Lanes(d)) {
    hn::Vec<decltype(d)> v = hn::Load(d, sums + i);
    if constexpr (kActivation == Activation::kGelu) v = Gelu(d, v);
    if constexpr (kActivation == Activation::kSilu) v = Silu(d, v);
    if constexpr (kActivation == Activation::kGeluTanh) v = GeluTanh(d, v);
    hn::Store(v, d, sums + i);
  }
  for (int64_t i = 0; i < rows; ++i) to.out[i][channel] = sums[i];
}

void DotStrips(const DirectRun& run, int64_t phase_index, int64_t begin, int64_t end) {
  const PhaseTable& table = run.phases[phase_index];
  const int64_t outputs = run.list.out.c, channels = run.list.in.c;
  const float* w = static_cast<const float*>(run.packed) + table.taps_before * outputs * channels;
  GridPoint point(table.phase, begin);
  for (int64_t p = begin; p < end; p += kDotRows) {
    const int64_t rows = std::min<int64_t>(kDotRows, end - p);
    Strip<kDotRows> strip;
    strip.Set(run, table, point, rows, 0);
    for (int64_t o = 0; o < outputs; ++o) {
      HWY_ALIGN float sums[kDotRows];
      DotStrip(strip, run, table.phase, w + o * channels, outputs * channels, sums);
      const float bias = run.epilogue.bias[o];
      switch (run.epilogue.activation) {
        case Activation::kNone:
          EpilogueColumn<Activation::kNone>(sums, bias, o, rows, strip.to);
          break;
        case Activation::kGelu:
          EpilogueColumn<Activation::kGelu>(sums, bias, o, rows, strip.to);
          break;
        case Activation::kSilu:
          EpilogueColumn<Activation::kSilu>(sums, bias, o, rows, strip.to);
          break;
        case Activation::kGeluTanh:
          EpilogueColumn<Activation::kGeluTanh>(sums, bias, o, rows, strip.to);
          break;
        case Activation::kMish:
        case Activation::kRelu:
          break;  // not fusable
      }
    }
  }
}
}  // namespace ebb::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ebb {

HWY_EXPORT(DotStrips);
HWY_EXPORT(PatchStrips);

namespace cpu {

void patch_strips(const DirectRun& run, int64_t phase, int64_t begin, int64_t end) {
  HWY_DYNAMIC_DISPATCH(PatchStrips)(run, phase, begin, end);
}

void dot_strips(const DirectRun& run, int64_t phase, int64_t begin, int64_t end) {
  HWY_DYNAMIC_DISPATCH(DotStrips)(run, phase, begin, end);
}

}  // namespace cpu
}  // namespace ebb
#endif
