#include "kernels/conv/cpu/conv_wgrad_simd.h"

#include <algorithm>
#include <cstring>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/conv/cpu/conv_wgrad_simd.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "kernels/conv/cpu/conv_pixel_sum-inl.h"
#include "kernels/conv/cpu/conv_tile-inl.h"

HWY_BEFORE_NAMESPACE();
namespace ebb::HWY_NAMESPACE {

using cpu::kWgradPlane;
using cpu::WgradRun;
using cpu::WgradTask;
using cpu::WgradTile;

// Channels per tap of the tiles with one, two and three taps, and vectors of those with one or two
// and with nine: from nine sums on, the latency of the multiply-add is hidden.
#if EBB_32_VECTOR_REGISTERS
constexpr int kChannels3 = 4, kChannels2 = 4, kChannels1 = 8, kVectors1 = 2, kVectors9 = 2;
#else
constexpr int kChannels3 = 2, kChannels2 = 2, kChannels1 = 4, kVectors1 = 3, kVectors9 = 1;
#endif

WgradTile WgradTileOfTarget(int64_t taps, int64_t in_channels) {
  if (taps == 9 && in_channels <= 2) return {9, 1, kVectors9, kLanes};
  if (taps % 3 == 0) return {3, kChannels3, kWgradVectors, kLanes};
  if (taps % 2 == 0) return {2, kChannels2, kVectors1, kLanes};
  return {1, kChannels1, kVectors1, kLanes};
}

HWY_INLINE void CopyFloats(const float* from, int64_t n, float* to) {
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) hn::StoreU(hn::LoadU(kF32, from + i), kF32, to + i);
  for (; i < n; ++i) to[i] = from[i];
}

// Copies images into the planes of padded; borders and surplus channels are zero already.
HWY_NOINLINE void PadImages(const WgradRun& run, int64_t first_image, int64_t images,
                            float* padded) {
  const TapImage& in = run.list.in;
  const int64_t y_end = std::min(in.h, run.top + run.padded_h);
  const int64_t x_end = std::min(in.w, run.left + run.padded_w);
  for (int64_t g = 0; g < images; ++g) {
    for (int64_t y = std::max<int64_t>(0, run.top); y < y_end; ++y) {
      const int64_t row = (g * run.padded_h + y - run.top) * run.padded_w - run.left;
      for (int64_t x = std::max<int64_t>(0, run.left); x < x_end; ++x) {
        const float* from = run.in + (first_image + g) * in.elements() + (y * in.w + x) * in.pitch;
        float* to = padded + (row + x) * kWgradPlane;
        for (int64_t c = 0; c < in.c; c += kWgradPlane, to += run.plane_floats()) {
          CopyFloats(from + c, std::min(kWgradPlane, in.c - c), to);
        }
      }
    }
  }
}

// packed[p] = channels first..first+width-1 of `out` at grid points begin..begin+n-1, zeros beyond
// the last channel; adds their sum over points to sums unless null.
template <int kVectors>
HWY_NOINLINE void PackChunk(const WgradRun& run, int64_t begin, int64_t n, int64_t first,
                            bool first_chunk, float* packed, float* sums) {
  constexpr int64_t kWidth = kVectors * kLanes;
  const float* from = run.out + begin * run.list.out.pitch + first;
  const int64_t channels = std::min(kWidth, run.list.out.c - first);
  Vector sum[1][kVectors];
  ZeroTile(sum);
  for (int64_t p = 0; p < n; ++p, from += run.list.out.pitch, packed += kWidth) {
    if (channels == kWidth) {
      EBB_UNROLL for (int j = 0; j < kVectors; ++j) {
        hn::Store(hn::LoadU(kF32, from + j * kLanes), kF32, packed + j * kLanes);
      }
    } else {
      std::fill_n(std::copy_n(from, channels, packed), kWidth - channels, 0.0f);
    }
    EBB_UNROLL for (int j = 0; j < kVectors; ++j) {
      sum[0][j] = hn::Add(sum[0][j], hn::Load(kF32, packed + j * kLanes));
    }
  }
  if (sums == nullptr) return;
  EBB_UNROLL for (int j = 0; j < kVectors; ++j) {
    const Vector before = first_chunk ? hn::Zero(kF32) : hn::Load(kF32, sums + j * kLanes);
    hn::Store(hn::Add(before, sum[0][j]), kF32, sums + j * kLanes);
  }
}

// Adds the channels of a chunk of `out` to sums unless null. Reads in the order of memory: vectors
// of one pixel after the other would wait for every line.
HWY_NOINLINE void SumRows(const WgradRun& run, int64_t begin, int64_t n, bool first_chunk,
                          float* sums) {
  const float* const from = run.out + begin * run.list.out.pitch;
  if (sums == nullptr) {
    for (int64_t i = 0; i < n * run.list.out.pitch; i += 16) __builtin_prefetch(from + i, 0, 3);
    return;
  }
  if (first_chunk) std::fill_n(sums, run.list.out.c, 0.0f);
  for (int64_t p = 0; p < n; ++p) {
    for (int64_t c = 0; c < run.list.out.c; c += kLanes) {
      const Vector x = hn::LoadU(kF32, from + p * run.list.out.pitch + c);
      hn::Store(hn::Add(hn::Load(kF32, sums + c), x), kF32, sums + c);
    }
  }
}

// Adds a chunk (offsets of its points at `offset`, their `out` vectors at `row`, `pitch` floats
// apart) to all tiles of a block.
template <int kTaps, int kChannels, int kVectors>
HWY_NOINLINE void SumChunk(const WgradRun& run, const float* padded, const int32_t* offset,
                           const float* row, int64_t pitch, int64_t n, bool first_chunk,
                           float* partial) {
  for (int64_t t = 0; t < run.phase.taps(); t += kTaps) {
    for (int64_t c = 0; c < run.list.in.c; c += kChannels) {
      const int64_t at = c / kWgradPlane * run.plane_floats() + c % kWgradPlane;
      const float* base[kTaps];
      EBB_UNROLL for (int i = 0; i < kTaps; ++i) base[i] = padded + run.tap_offsets[t + i] + at;
      SumPixels<kTaps, kChannels, kVectors>(base, offset, row, pitch, n, first_chunk, partial);
      partial += kTaps * kChannels * kVectors * kLanes;
    }
  }
}

template <int kTaps, int kChannels, int kVectors>
void RunWgradTiles(const WgradRun& run, const WgradTask& task) {
  constexpr int64_t kWidth = kVectors * kLanes;
  const TapImage& out = run.list.out;
  const int64_t image_pixels = run.phase.pixels();
  // A tile of nine taps has all taps of a block, and few channels: the block reads each vector of
  // `out` about once, which packing would do as well.
  const bool in_place = kTaps == 9 && out.c % kWidth == 0;
  bool first_chunk = true;
  for (int64_t image = task.begin; image < task.end; image += run.unit_images) {
    const int64_t images = std::min(run.unit_images, task.end - image);
    PadImages(run, image, images, task.padded);
    for (int64_t p = 0; p < images * image_pixels; p += run.chunk) {
      const int64_t n = std::min(run.chunk, images * image_pixels - p);
      const int64_t begin = image * image_pixels + p;
      if (in_place && task.first_block == 0) SumRows(run, begin, n, first_chunk, task.sums);
      for (int64_t block = task.first_block; block < task.last_block; ++block) {
        const float* row = run.out + begin * out.pitch + block * kWidth;
        if (!in_place) {
          PackChunk<kVectors>(run, begin, n, block * kWidth, first_chunk, task.packed,
                              task.sums == nullptr ? nullptr : task.sums + block * kWidth);
          row = task.packed;
        }
        SumChunk<kTaps, kChannels, kVectors>(run, task.padded, run.offsets + p, row,
                                             in_place ? out.pitch : kWidth, n, first_chunk,
                                             task.partial + block * run.block_floats());
      }
      first_chunk = false;
    }
  }
}

void RunWgradTask(const WgradRun& run, const WgradTask& task) {
  switch (run.tile.taps) {
    case 9:
      return RunWgradTiles<9, 1, kVectors9>(run, task);
    case 3:
      return RunWgradTiles<3, kChannels3, kWgradVectors>(run, task);
    case 2:
      return RunWgradTiles<2, kChannels2, kVectors1>(run, task);
    default:
      return RunWgradTiles<1, kChannels1, kVectors1>(run, task);
  }
}

}  // namespace ebb::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ebb {

HWY_EXPORT(WgradTileOfTarget);
HWY_EXPORT(RunWgradTask);

namespace cpu {

WgradTile wgrad_tile(int64_t taps, int64_t in_channels) {
  return HWY_DYNAMIC_DISPATCH(WgradTileOfTarget)(taps, in_channels);
}

void wgrad_task(const WgradRun& run, const WgradTask& task) {
  HWY_DYNAMIC_DISPATCH(RunWgradTask)(run, task);
}

}  // namespace cpu
}  // namespace ebb
#endif
