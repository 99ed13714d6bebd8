#include <algorithm>

#include "kernels/conv/cpu/conv_winograd_simd.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/conv/cpu/conv_winograd_wgrad_simd.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "kernels/conv/cpu/conv_pixel_sum-inl.h"
#include "kernels/conv/cpu/conv_tile-inl.h"
#include "kernels/conv/cpu/conv_winograd_transform-inl.h"

HWY_BEFORE_NAMESPACE();
namespace ebb::HWY_NAMESPACE {

using cpu::WinogradWgradRun;
using cpu::WinogradWgradTask;

// Channels of `in` of a register tile: twelve sums (of 16 registers; sixteen of 32) hide the
// latency of the multiply-add. What is left over of the channels, a multiple of two, runs in
// smaller tiles.
#if EBB_32_VECTOR_REGISTERS
constexpr int kWinogradChannels = 8;
#else
constexpr int kWinogradChannels = 6;
#endif
constexpr int kWinogradWidth = kWgradVectors * kLanes;

void SetWinogradWgradTile(WinogradWgradRun& run) { run.width = kWinogradWidth; }

// A y for one column of a tile of 2x2 pixels.
HWY_INLINE void WinogradGradient(const Vector (&y)[2], Vector (&to)[4]) {
  to[0] = y[0];
  to[1] = hn::Add(y[0], y[1]);
  to[2] = hn::Sub(y[0], y[1]);
  to[3] = hn::Neg(y[1]);
}

// A y for one column of a tile of 3x3 pixels.
HWY_INLINE void WinogradGradient(const Vector (&y)[3], Vector (&to)[4]) {
  const Vector even = hn::Add(y[0], y[2]);
  to[0] = y[0];
  to[1] = hn::Add(even, y[1]);
  to[2] = hn::Sub(even, y[1]);
  to[3] = hn::Neg(y[2]);
}

// A y for one column of a tile of 4x4 pixels.
HWY_INLINE void WinogradGradient(const Vector (&y)[4], Vector (&to)[6]) {
  const Vector four = hn::Set(kF32, 4.0f);
  const Vector even1 = hn::Add(y[0], y[2]), odd1 = hn::Add(y[1], y[3]);
  const Vector even2 = hn::MulAdd(four, y[2], y[0]), half_odd2 = hn::MulAdd(four, y[3], y[1]);
  const Vector odd2 = hn::Add(half_odd2, half_odd2);
  to[0] = y[0];
  to[1] = hn::Add(even1, odd1);
  to[2] = hn::Sub(even1, odd1);
  to[3] = hn::Add(even2, odd2);
  to[4] = hn::Sub(even2, odd2);
  to[5] = y[3];
}

// part[kSide i + j][...] = (A Y A')[i][j] for `width` channels of one tile from first_channel on,
// zeros beyond the last channel.
template <int kSize>
HWY_INLINE void TransformGradient(const WinogradWgradRun& run,
                                  const float* const (&pixel)[kSize][kSize], int64_t first_channel,
                                  float* part) {
  constexpr int kSide = SideOf(kSize);
  for (int64_t v = 0; v < kWinogradWidth; v += kLanes) {
    const int64_t c = first_channel + v;
    if (c >= run.tiles.list.out.c) {
      for (int64_t k = 0; k < kSide * kSide; ++k) {
        hn::Store(hn::Zero(kF32), kF32, part + k * run.out_plane() + v);
      }
      continue;
    }
    Vector half[kSide][kSize];
    EBB_UNROLL for (int j = 0; j < kSize; ++j) {
      Vector y[kSize], t[kSide];
      EBB_UNROLL for (int i = 0; i < kSize; ++i) y[i] = hn::LoadU(kF32, pixel[i][j] + c);
      WinogradGradient(y, t);
      EBB_UNROLL for (int i = 0; i < kSide; ++i) half[i][j] = t[i];
    }
    EBB_UNROLL for (int i = 0; i < kSide; ++i) {
      Vector t[kSide];
      WinogradGradient(half[i], t);
      EBB_UNROLL for (int j = 0; j < kSide; ++j) {
        hn::Store(t[j], kF32, part + (kSide * i + j) * run.out_plane() + v);
      }
    }
  }
}

template <int kSize>
HWY_NOINLINE void TransformGradients(const WinogradWgradRun& run, const WinogradWgradTask& task,
                                     int64_t first, int64_t count, float* parts) {
  const TapImage& out = run.tiles.list.out;
  for (int64_t t = 0; t < count; ++t) {
    const WinogradTile tile(run.tiles, first + t);
    const float* pixel[kSize][kSize];
    PatchPixels<kSize>(out, run.out + tile.image * out.elements(), kSize * tile.row,
                       kSize * tile.column, 1, run.tiles.zeros, pixel);
    for (int64_t block = task.first_block; block < task.last_block; ++block) {
      TransformGradient(run, pixel, block * kWinogradWidth,
                        parts + (block * run.block_tiles + t) * kWinogradWidth);
    }
  }
}

// Adds the sums of `out` over pixels: part (1, 1) of A Y A' is the sum of the tile.
HWY_NOINLINE void AddTileSums(const WinogradWgradRun& run, int64_t block, int64_t count,
                              bool first_block, const float* parts, float* sums) {
  const float* from =
      parts + (run.tiles.side() + 1) * run.out_plane() + block * run.block_tiles * kWinogradWidth;
  Vector sum[1][kWgradVectors];
  ZeroTile(sum);
  for (int64_t t = 0; t < count; ++t, from += kWinogradWidth) {
    EBB_UNROLL for (int j = 0; j < kWgradVectors; ++j) {
      sum[0][j] = hn::Add(sum[0][j], hn::Load(kF32, from + j * kLanes));
    }
  }
  EBB_UNROLL for (int j = 0; j < kWgradVectors; ++j) {
    const Vector before = first_block ? hn::Zero(kF32) : hn::Load(kF32, sums + j * kLanes);
    hn::Store(hn::Add(before, sum[0][j]), kF32, sums + j * kLanes);
  }
}

// Both operands of the next block.
struct WgradPrefetch {
  Prefetcher<0> in, out;

  HWY_INLINE void Next() {
    in.Next();
    out.Next();
  }
};

// Prefetches the sums that a register tile of kChannels channels starts with, some tiles ahead: the
// partial gradient is larger than L2.
template <int kChannels>
HWY_INLINE void PrefetchSums(const float* tile) {
  constexpr int kAhead = 4, kLine = 16, kFloats = kChannels * kWinogradWidth;
  for (int i = 0; i < kFloats; i += kLine) __builtin_prefetch(tile + kAhead * kFloats + i, 1, 2);
}

// Adds the products of `count` transformed tiles to the partial gradient of one part and block:
// kChannels channels at a time from channel `c` on. Returns the first channel left.
template <int kChannels>
HWY_NOINLINE int64_t SumTiles(const WinogradWgradRun& run, int64_t c, const float* in_part,
                              const float* out_part, int64_t count, bool first, float* partial,
                              WgradPrefetch& prefetch) {
  for (; c + kChannels <= run.tiles.in_channels(); c += kChannels) {
    float* const sums = partial + c * kWinogradWidth;
    prefetch.Next();
    PrefetchSums<kChannels>(sums);
    const float* base[1] = {in_part + c};
    SumPixels<1, kChannels, kWgradVectors>(base, run.offsets, out_part, kWinogradWidth, count,
                                           first, sums);
  }
  return c;
}

void SumParts(const WinogradWgradRun& run, const WinogradWgradTask& task, int64_t first,
              int64_t count, const float* in_parts, const float* out_parts) {
  const TapList& list = run.tiles.list;
  const int64_t in_channels = run.tiles.in_channels();
  const int64_t part_floats = in_channels * kWinogradWidth;
  const int64_t parts = run.tiles.parts();
  const int64_t calls = parts * (task.last_block - task.first_block) *
                        ((in_channels + kWinogradChannels - 1) / kWinogradChannels);
  const int64_t next = first + count, next_count = std::min(run.block_tiles, task.end - next);
  WgradPrefetch prefetch{PrefetchTiles<0>(run.tiles, list.in, run.in, next, next_count, calls),
                         PrefetchTiles<0>(run.tiles, list.out, run.out, next, next_count, calls)};
  for (int64_t part = 0; part < parts; ++part) {
    for (int64_t block = task.first_block; block < task.last_block; ++block) {
      const float* in_part = in_parts + part * run.in_plane();
      const float* out_part =
          out_parts + part * run.out_plane() + block * run.block_tiles * kWinogradWidth;
      float* partial = task.partial + block * run.block_floats() + part * part_floats;
      const bool set = first == task.begin;
      int64_t c =
          SumTiles<kWinogradChannels>(run, 0, in_part, out_part, count, set, partial, prefetch);
      c = SumTiles<4>(run, c, in_part, out_part, count, set, partial, prefetch);
      SumTiles<2>(run, c, in_part, out_part, count, set, partial, prefetch);
    }
  }
}

template <int kSize>
void RunWgradTaskOf(const WinogradWgradRun& run, const WinogradWgradTask& task) {
  float* const in_parts = task.scratch;
  float* const out_parts = task.scratch + run.tiles.parts() * run.in_plane();
  for (int64_t first = task.begin; first < task.end; first += run.block_tiles) {
    const int64_t count = std::min(run.block_tiles, task.end - first);
    for (int64_t t = 0; t < count; ++t) {
      TransformInput<SideOf(kSize)>(run.tiles, run.in, first + t, run.in_plane(),
                                    in_parts + t * run.in_pitch());
    }
    TransformGradients<kSize>(run, task, first, count, out_parts);
    SumParts(run, task, first, count, in_parts, out_parts);
    if (task.sums == nullptr) continue;
    for (int64_t block = task.first_block; block < task.last_block; ++block) {
      AddTileSums(run, block, count, first == task.begin, out_parts,
                  task.sums + block * kWinogradWidth);
    }
  }
}

void RunWinogradWgradTask(const WinogradWgradRun& run, const WinogradWgradTask& task) {
  if (run.tiles.size == 4) return RunWgradTaskOf<4>(run, task);
  if (run.tiles.size == 3) return RunWgradTaskOf<3>(run, task);
  RunWgradTaskOf<2>(run, task);
}

}  // namespace ebb::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ebb {

HWY_EXPORT(SetWinogradWgradTile);
HWY_EXPORT(RunWinogradWgradTask);

namespace cpu {

void set_winograd_wgrad_tile(WinogradWgradRun& run) {
  HWY_DYNAMIC_DISPATCH(SetWinogradWgradTile)(run);
}

void winograd_wgrad_task(const WinogradWgradRun& run, const WinogradWgradTask& task) {
  HWY_DYNAMIC_DISPATCH(RunWinogradWgradTask)(run, task);
}

}  // namespace cpu
}  // namespace ebb
#endif
