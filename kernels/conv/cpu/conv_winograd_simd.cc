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

using cpu::WinogradRange;
using cpu::WinogradRun;
using cpu::WinogradTask;

// Input of the next block and output of this one.
struct BlockPrefetch {
  Prefetcher<0> in;
  Prefetcher<1> out;

  HWY_INLINE void Next() {
    in.Next();
    out.Next();
  }
};

// Products of a part: to[tile][0..width) (+)= from[tile][in_channels] * w[in_channels][width] for
// the tiles of a block.
struct PartProducts {
  const float* from;  // [tiles], in_pitch apart
  const float* w;     // [in_channels][width]
  float* to;          // [tiles], out_pitch apart
  int64_t in_channels, in_pitch, out_pitch, tiles;
  bool adds;  // to what `to` has
};

template <int kVectors>
HWY_NOINLINE void MultiplyPart(const PartProducts& part, BlockPrefetch& prefetch) {
  for (int64_t r = 0; r < part.tiles; r += kTileRows) {
    prefetch.Next();
    const float* row[kTileRows];
    EBB_UNROLL for (int i = 0; i < kTileRows; ++i) {
      row[i] = part.from + std::min(r + i, part.tiles - 1) * part.in_pitch;
    }
    float* to = part.to + r * part.out_pitch;
    Vector sum[kTileRows][kVectors];
    if (part.adds) {
      LoadTile(to, part.out_pitch, sum);
    } else {
      ZeroTile(sum);
    }
    TileProduct(row, part.w, part.in_channels, sum);
    StoreTile(sum, to, part.out_pitch);
  }
}

void MultiplyPart(int64_t vectors, const PartProducts& part, BlockPrefetch& prefetch) {
  if (vectors >= kTileVectors) return MultiplyPart<kTileVectors>(part, prefetch);
#if EBB_32_VECTOR_REGISTERS
  if (vectors == 2) return MultiplyPart<2>(part, prefetch);
  if (vectors == 3) return MultiplyPart<3>(part, prefetch);
#endif
  MultiplyPart<1>(part, prefetch);
}

void MultiplyParts(const WinogradRun& run, int64_t first_tile, int64_t tiles, float* scratch) {
  const TapList& list = run.tiles.list;
  const int64_t in_c = run.tiles.in_channels(), out_c = run.tiles.out_channels();
  constexpr int64_t kFull = kTileVectors * kLanes;
  const int64_t parts = run.tiles.parts(), blocks = (out_c + kFull - 1) / kFull;
  const int64_t calls = parts * blocks * ((tiles + kTileRows - 1) / kTileRows);
  BlockPrefetch prefetch{
      PrefetchTiles<0>(run.tiles, list.in, run.in, first_tile + tiles, run.block_tiles, calls),
      PrefetchTiles<1>(run.tiles, list.out, run.out, first_tile, tiles, calls)};
  for (int64_t part = 0; part < parts; ++part) {
    for (int64_t first = 0; first < out_c; first += kFull) {
      MultiplyPart((out_c - first) / kLanes,
                   {.from = scratch + part * run.in_plane(),
                    .w = static_cast<const float*>(run.packed) + (part * out_c + first) * in_c,
                    .to = run.products(scratch) + part * run.out_plane() + first,
                    .in_channels = in_c,
                    .in_pitch = in_c,
                    .out_pitch = out_c,
                    .tiles = tiles,
                    .adds = false},
                   prefetch);
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
void TransformOutputsOf(const WinogradRun& run, int64_t first, WinogradRange tiles,
                        const float* products) {
  constexpr int64_t kMaxPhases = 4;
  const int64_t phases = run.tiles.out_parities();
  TapPhase phase[kMaxPhases];
  for (int64_t p = 0; p < phases; ++p) phase[p] = run.tiles.list.phase(p);
  for (int64_t i = tiles.begin * phases; i < tiles.end * phases; ++i) {
    TransformOutput<kSize, kActivation>(run, first + i / phases, phase[i % phases],
                                        products + i * run.tiles.list.out.c);
  }
}

template <int kSize>
void TransformOutputs(const WinogradRun& run, int64_t first, WinogradRange tiles,
                      const float* products) {
  switch (run.epilogue.activation) {
    case Activation::kNone:
      return TransformOutputsOf<kSize, Activation::kNone>(run, first, tiles, products);
    case Activation::kGelu:
      return TransformOutputsOf<kSize, Activation::kGelu>(run, first, tiles, products);
    case Activation::kSilu:
      return TransformOutputsOf<kSize, Activation::kSilu>(run, first, tiles, products);
    case Activation::kGeluTanh:
      return TransformOutputsOf<kSize, Activation::kGeluTanh>(run, first, tiles, products);
    case Activation::kMish:
    case Activation::kRelu:
      break;  // not fusable
  }
}

void WinogradOutputs(const WinogradRun& run, int64_t first, WinogradRange tiles,
                     const float* scratch) {
  const float* products = run.products(const_cast<float*>(scratch));
  if (run.tiles.size == 4) return TransformOutputs<4>(run, first, tiles, products);
  if (run.tiles.size == 3) return TransformOutputs<3>(run, first, tiles, products);
  TransformOutputs<2>(run, first, tiles, products);
}

void WinogradInputs(const WinogradRun& run, int64_t first, WinogradRange tiles, float* scratch) {
  for (int64_t t = tiles.begin; t < tiles.end; ++t) {
    float* part = scratch + t * run.tiles.in_channels();
    if (run.tiles.size == 4) {
      TransformInput<SideOf(4)>(run.tiles, run.in, first + t, run.in_plane(), part);
    } else {
      TransformInput<SideOf(2)>(run.tiles, run.in, first + t, run.in_plane(), part);
    }
  }
}

// Row `row` of G.
template <int kSide>
HWY_INLINE void FilterRow(int64_t row, Vector (&factor)[3]) {
  static constexpr float kG4[4][3] = {
      {1, 0, 0}, {0.5f, 0.5f, 0.5f}, {0.5f, -0.5f, 0.5f}, {0, 0, 1}};
  static constexpr float kG6[6][3] = {{1 / 4.0f, 0, 0},
                                      {-1 / 6.0f, -1 / 6.0f, -1 / 6.0f},
                                      {-1 / 6.0f, 1 / 6.0f, -1 / 6.0f},
                                      {1 / 24.0f, 1 / 12.0f, 1 / 6.0f},
                                      {1 / 24.0f, -1 / 12.0f, 1 / 6.0f},
                                      {0, 0, 1}};
  EBB_UNROLL for (int k = 0; k < 3; ++k) {
    factor[k] = hn::Set(kF32, kSide == 6 ? kG6[row][k] : kG4[row % 4][k]);
  }
}

// x G' for one row of three taps: components of tiles of 2x2 pixels.
HWY_INLINE void FilterColumns(const Vector (&x)[3], Vector (&to)[4]) {
  const Vector half = hn::Set(kF32, 0.5f), inner = hn::Mul(half, x[1]);
  const Vector outer = hn::Mul(half, hn::Add(x[0], x[2]));
  to[0] = x[0];
  to[1] = hn::Add(outer, inner);
  to[2] = hn::Sub(outer, inner);
  to[3] = x[2];
}

// Tiles of 4x4 pixels.
HWY_INLINE void FilterColumns(const Vector (&x)[3], Vector (&to)[6]) {
  const Vector sixth = hn::Set(kF32, -1 / 6.0f);
  const Vector outer1 = hn::Mul(sixth, hn::Add(x[0], x[2])), inner1 = hn::Mul(sixth, x[1]);
  const Vector outer2 =
      hn::MulAdd(hn::Set(kF32, 1 / 6.0f), x[2], hn::Mul(hn::Set(kF32, 1 / 24.0f), x[0]));
  const Vector inner2 = hn::Mul(hn::Set(kF32, 1 / 12.0f), x[1]);
  to[0] = hn::Mul(hn::Set(kF32, 0.25f), x[0]);
  to[1] = hn::Add(outer1, inner1);
  to[2] = hn::Sub(outer1, inner1);
  to[3] = hn::Add(outer2, inner2);
  to[4] = hn::Sub(outer2, inner2);
  to[5] = x[2];
}

// to[j][channels][width] = (G g G')[row][j] of the filters g = w[3][3], taps `tap_floats` apart,
// each [channels][width].
template <int kSide, typename T>
HWY_NOINLINE void TransformFilters(int64_t row, const T* w, int64_t tap_floats, int64_t floats,
                                   float* to) {
  Vector factor[3];
  FilterRow<kSide>(row, factor);
  for (int64_t i = 0; i < floats; i += kLanes) {
    Vector half[3], t[kSide];
    EBB_UNROLL for (int x = 0; x < 3; ++x) {
      const T* g = w + x * tap_floats + i;
      const Vector sum = hn::Mul(factor[0], LoadWeights(g));
      const Vector sum1 = hn::MulAdd(factor[1], LoadWeights(g + 3 * tap_floats), sum);
      half[x] = hn::MulAdd(factor[2], LoadWeights(g + 6 * tap_floats), sum1);
    }
    FilterColumns(half, t);
    EBB_UNROLL for (int j = 0; j < kSide; ++j) hn::Store(t[j], kF32, to + j * floats + i);
  }
}

template <int kSide, typename T>
void ProductsOf(const WinogradRun& run, const WinogradTask& task, int64_t tiles, float* scratch,
                float* filters) {
  BlockPrefetch none{{nullptr, 0, 1}, {nullptr, 0, 1}};
  const int64_t in_c = run.tiles.in_channels(), out_c = run.tiles.out_channels();
  const int64_t first = task.block * kTileVectors * kLanes;
  const int64_t width = std::min<int64_t>(kTileVectors * kLanes, out_c - first);
  for (int64_t c = 0; c < in_c; c += cpu::kFilterBlock) {
    const int64_t channels = std::min(cpu::kFilterBlock, in_c - c), floats = channels * width;
    TransformFilters<kSide>(task.row,
                            static_cast<const T*>(run.packed) + 9 * in_c * first + c * width,
                            in_c * width, floats, filters);
    for (int64_t j = 0; j < kSide; ++j) {
      const int64_t part = task.row * kSide + j;
      MultiplyPart(width / kLanes,
                   {.from = scratch + part * run.in_plane() + c,
                    .w = filters + j * floats,
                    .to = run.products(scratch) + part * run.out_plane() + first,
                    .in_channels = channels,
                    .in_pitch = in_c,
                    .out_pitch = out_c,
                    .tiles = tiles,
                    .adds = c > 0},
                   none);
    }
  }
}

template <typename T>
void ProductsOf(const WinogradRun& run, const WinogradTask& task, int64_t tiles, float* scratch,
                float* filters) {
  if (run.tiles.size == 4) return ProductsOf<6, T>(run, task, tiles, scratch, filters);
  ProductsOf<4, T>(run, task, tiles, scratch, filters);
}

void WinogradProducts(const WinogradRun& run, const WinogradTask& task, int64_t tiles,
                      float* scratch, float* filters) {
  switch (run.tiles.list.weight_dtype) {
    case DType::kF16:
      return ProductsOf<hwy::float16_t>(run, task, tiles, scratch, filters);
    case DType::kBF16:
      return ProductsOf<hwy::bfloat16_t>(run, task, tiles, scratch, filters);
    default:
      return ProductsOf<float>(run, task, tiles, scratch, filters);
  }
}

void RunWinogradBlock(const WinogradRun& run, int64_t first, int64_t count, float* scratch) {
  WinogradInputs(run, first, {0, count}, scratch);
  MultiplyParts(run, first, count, scratch);
  WinogradOutputs(run, first, {0, count}, scratch);
}

}  // namespace ebb::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ebb {

HWY_EXPORT(RunWinogradBlock);
HWY_EXPORT(WinogradInputs);
HWY_EXPORT(WinogradProducts);
HWY_EXPORT(WinogradOutputs);

namespace cpu {

void winograd_block(const WinogradRun& run, int64_t first, int64_t count, float* scratch) {
  HWY_DYNAMIC_DISPATCH(RunWinogradBlock)(run, first, count, scratch);
}

void winograd_inputs(const WinogradRun& run, int64_t first, WinogradRange tiles, float* scratch) {
  HWY_DYNAMIC_DISPATCH(WinogradInputs)(run, first, tiles, scratch);
}

void winograd_products(const WinogradRun& run, const WinogradTask& task, int64_t tiles,
                       float* scratch, float* filters) {
  HWY_DYNAMIC_DISPATCH(WinogradProducts)(run, task, tiles, scratch, filters);
}

void winograd_outputs(const WinogradRun& run, int64_t first, WinogradRange tiles,
                      const float* scratch) {
  HWY_DYNAMIC_DISPATCH(WinogradOutputs)(run, first, tiles, scratch);
}

}  // namespace cpu
}  // namespace ebb
#endif
