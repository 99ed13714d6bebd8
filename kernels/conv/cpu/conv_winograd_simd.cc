#include "kernels/conv/cpu/conv_winograd_simd.h"

#include <algorithm>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/conv/cpu/conv_winograd_simd.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "kernels/conv/cpu/conv_epilogue-inl.h"
#include "kernels/conv/cpu/conv_tile-inl.h"
#include "kernels/conv/cpu/conv_winograd_transform-inl.h"

HWY_BEFORE_NAMESPACE();
namespace ebb::HWY_NAMESPACE {

using cpu::WinogradRun;

// Input of the next block and output of this one.
struct BlockPrefetch {
  Prefetcher<0> in;
  Prefetcher<1> out;

  HWY_INLINE void Next() {
    in.Next();
    out.Next();
  }
};

// to[tile][first..first+width) = from[tile][in_channels] * w[in_channels][width] for the tiles of a
// block.
template <int kVectors>
HWY_NOINLINE void MultiplyPart(const float* from, const float* w, int64_t in_channels,
                               int64_t out_channels, int64_t tiles, float* to,
                               BlockPrefetch& prefetch) {
  for (int64_t r = 0; r < tiles; r += kTileRows) {
    prefetch.Next();
    const float* row[kTileRows];
    EBB_UNROLL for (int i = 0; i < kTileRows; ++i) {
      row[i] = from + std::min(r + i, tiles - 1) * in_channels;
    }
    Vector sum[kTileRows][kVectors];
    ZeroTile(sum);
    TileProduct(row, w, in_channels, sum);
    StoreTile(sum, to + r * out_channels, out_channels);
  }
}

void MultiplyParts(const WinogradRun& run, int64_t first_tile, int64_t tiles, const float* in_parts,
                   float* out_parts) {
  const TapList& list = run.tiles.list;
  const int64_t in_c = run.tiles.in_channels(), out_c = run.tiles.out_channels();
  constexpr int64_t kFull = kTileVectors * kLanes;
  const int64_t parts = run.tiles.parts();
  const int64_t calls =
      parts * ((out_c + kFull - 1) / kFull) * ((tiles + kTileRows - 1) / kTileRows);
  BlockPrefetch prefetch{
      PrefetchTiles<0>(run.tiles, list.in, run.in, first_tile + tiles, run.block_tiles, calls),
      PrefetchTiles<1>(run.tiles, list.out, run.out, first_tile, tiles, calls)};
  for (int64_t part = 0; part < parts; ++part) {
    const float* from = in_parts + part * run.in_plane();
    for (int64_t first = 0; first < out_c; first += kFull) {
      const float* w = run.packed + (part * out_c + first) * in_c;
      float* to = out_parts + part * run.out_plane() + first;
      const int64_t vectors = (out_c - first) / kLanes;
      if (vectors >= kTileVectors) {
        MultiplyPart<kTileVectors>(from, w, in_c, out_c, tiles, to, prefetch);
      } else if (vectors == 1) {
        MultiplyPart<1>(from, w, in_c, out_c, tiles, to, prefetch);
#if EBB_32_VECTOR_REGISTERS
      } else if (vectors == 2) {
        MultiplyPart<2>(from, w, in_c, out_c, tiles, to, prefetch);
      } else {
        MultiplyPart<3>(from, w, in_c, out_c, tiles, to, prefetch);
#endif
      }
    }
  }
}

// A' x for one column of a tile of 2x2 pixels.
HWY_INLINE void WinogradOutput(const Vector (&x)[4], Vector (&to)[2]) {
  to[0] = hn::Add(hn::Add(x[0], x[1]), x[2]);
  to[1] = hn::Sub(hn::Sub(x[1], x[2]), x[3]);
}

// A' x for one column of a tile of 3x3 pixels.
HWY_INLINE void WinogradOutput(const Vector (&x)[4], Vector (&to)[3]) {
  const Vector even = hn::Add(x[1], x[2]);
  to[0] = hn::Add(x[0], even);
  to[1] = hn::Sub(x[1], x[2]);
  to[2] = hn::Sub(even, x[3]);
}

// A' x for one column of a tile of 4x4 pixels.
HWY_INLINE void WinogradOutput(const Vector (&x)[6], Vector (&to)[4]) {
  const Vector even1 = hn::Add(x[1], x[2]), odd1 = hn::Sub(x[1], x[2]);
  const Vector even2 = hn::Add(x[3], x[4]), odd2 = hn::Sub(x[3], x[4]);
  to[0] = hn::Add(hn::Add(x[0], even1), even2);
  to[1] = hn::MulAdd(hn::Set(kF32, 2.0f), odd2, odd1);
  to[2] = hn::MulAdd(hn::Set(kF32, 4.0f), even2, even1);
  to[3] = hn::Add(hn::MulAdd(hn::Set(kF32, 8.0f), odd2, odd1), x[5]);
}

// The output rows or columns of one tile and phase: begin..end-1 of its kSize lie in the image, i
// at out_first + i * out_step.
struct TileAxis {
  int64_t begin, end, out_first, out_step;

  // For tile `index`, whose inputs start at in_first.
  TileAxis(const TapAxis& axis, int64_t size, int64_t in_first) {
    const int64_t grid = in_first - axis.in_first;  // point of pixel 0
    begin = std::max<int64_t>(0, -grid);
    end = std::min(size, axis.grid - grid);
    out_first = axis.out(grid);
    out_step = axis.out_step;
  }
  int64_t out(int64_t i) const { return out_first + i * out_step; }
};

// A' M A of one tile and phase from its parts, and the epilogue of its pixels inside the image.
template <int kSize, Activation kActivation>
HWY_NOINLINE void TransformOutput(const WinogradRun& run, int64_t index, const TapPhase& phase,
                                  const float* part) {
  constexpr int kSide = SideOf(kSize);
  const TapImage& out = run.tiles.list.out;
  const WinogradTile tile(run.tiles, index);
  const TileAxis y(phase.y, kSize, run.tiles.top + kSize * tile.row);
  const TileAxis x(phase.x, kSize, run.tiles.left + kSize * tile.column);
  float* const image = run.out + tile.image * out.elements();
  const float* residual = nullptr;
  if (run.epilogue.residual != nullptr) {
    const int64_t residual_image = tile.image % run.epilogue.residual_n;
    residual = run.epilogue.residual + residual_image * out.h * out.w * out.c;
  }
  for (int64_t c = 0; c < out.c; c += kLanes) {
    Vector half[kSize][kSide];
    EBB_UNROLL for (int j = 0; j < kSide; ++j) {
      Vector m[kSide], t[kSize];
      EBB_UNROLL for (int i = 0; i < kSide; ++i) {
        m[i] = hn::Load(kF32, part + (kSide * i + j) * run.out_plane() + c);
      }
      WinogradOutput(m, t);
      EBB_UNROLL for (int i = 0; i < kSize; ++i) half[i][j] = t[i];
    }
    const Vector bias = hn::LoadU(kF32, run.epilogue.bias + c);
    EBB_UNROLL for (int i = 0; i < kSize; ++i) {
      Vector t[kSize];
      WinogradOutput(half[i], t);
      EBB_UNROLL for (int j = 0; j < kSize; ++j) {
        if (i < y.begin || i >= y.end || j < x.begin || j >= x.end) continue;
        const int64_t pixel = y.out(i) * out.w + x.out(j);
        EpilogueVector<kActivation>(hn::Add(t[j], bias),
                                    residual == nullptr ? nullptr : residual + pixel * out.c + c,
                                    image + pixel * out.pitch + c);
      }
    }
  }
}

template <int kSize, Activation kActivation>
void TransformOutputs(const WinogradRun& run, int64_t first, int64_t count, const float* parts) {
  constexpr int64_t kMaxPhases = 4;
  const int64_t phases = run.tiles.out_parities();
  TapPhase phase[kMaxPhases];
  for (int64_t p = 0; p < phases; ++p) phase[p] = run.tiles.list.phase(p);
  for (int64_t i = 0; i < count * phases; ++i) {
    TransformOutput<kSize, kActivation>(run, first + i / phases, phase[i % phases],
                                        parts + i * run.tiles.list.out.c);
  }
}

template <int kSize>
void RunWinogradBlockOf(const WinogradRun& run, int64_t first, int64_t count, float* scratch) {
  float* const in_parts = scratch;
  float* const out_parts = scratch + run.tiles.parts() * run.in_plane();
  for (int64_t t = 0; t < count; ++t) {
    TransformInput<SideOf(kSize)>(run.tiles, run.in, first + t, run.in_plane(),
                                  in_parts + t * run.tiles.in_channels());
  }
  MultiplyParts(run, first, count, in_parts, out_parts);
  switch (run.epilogue.activation) {
    case Activation::kNone:
      return TransformOutputs<kSize, Activation::kNone>(run, first, count, out_parts);
    case Activation::kGelu:
      return TransformOutputs<kSize, Activation::kGelu>(run, first, count, out_parts);
    case Activation::kSilu:
      return TransformOutputs<kSize, Activation::kSilu>(run, first, count, out_parts);
    case Activation::kGeluTanh:
      return TransformOutputs<kSize, Activation::kGeluTanh>(run, first, count, out_parts);
    case Activation::kMish:
    case Activation::kRelu:
      break;  // not fusable
  }
}

void RunWinogradBlock(const WinogradRun& run, int64_t first, int64_t count, float* scratch) {
  if (run.tiles.size == 4) return RunWinogradBlockOf<4>(run, first, count, scratch);
  if (run.tiles.size == 3) return RunWinogradBlockOf<3>(run, first, count, scratch);
  RunWinogradBlockOf<2>(run, first, count, scratch);
}

}  // namespace ebb::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ebb {

HWY_EXPORT(RunWinogradBlock);

namespace cpu {

void winograd_block(const WinogradRun& run, int64_t first, int64_t count, float* scratch) {
  HWY_DYNAMIC_DISPATCH(RunWinogradBlock)(run, first, count, scratch);
}

}  // namespace cpu
}  // namespace ebb
#endif
