// Input side of Winograd's F(2x2, 3x3), F(3x3, 2x2) and F(4x4, 3x3). Include after
// hwy/foreach_target.h.

// Per-target include guard.
#if defined(EBB_KERNELS_CPU_CONV_WINOGRAD_TRANSFORM_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef EBB_KERNELS_CPU_CONV_WINOGRAD_TRANSFORM_INL_H_
#undef EBB_KERNELS_CPU_CONV_WINOGRAD_TRANSFORM_INL_H_
#else
#define EBB_KERNELS_CPU_CONV_WINOGRAD_TRANSFORM_INL_H_
#endif

#include <algorithm>

#include "kernels/conv/cpu/conv_tile-inl.h"
#include "kernels/conv/cpu/conv_winograd_simd.h"

HWY_BEFORE_NAMESPACE();
namespace ebb::HWY_NAMESPACE {

// Side of the input tile of size x size output pixels.
constexpr int SideOf(int size) { return size == 4 ? 6 : 4; }

// Tile `index` of the list of all tiles.
struct WinogradTile {
  int64_t image, row, column;

  WinogradTile(const cpu::WinogradTiles& tiles, int64_t index)
      : image(index / (tiles.rows * tiles.columns)),
        row(index / tiles.columns % tiles.rows),
        column(index % tiles.columns) {}
};

// Prefetches the lines of a range a few at a time, between register tiles, so that memory works
// while the products run.
template <int kWrite>
class Prefetcher {
 public:
  // `floats` from `from` on, over `calls` calls of Next().
  Prefetcher(const float* from, int64_t floats, int64_t calls)
      : at_(reinterpret_cast<const char*>(from)),
        left_(floats * static_cast<int64_t>(sizeof(float))),
        step_((left_ / calls + 127) / 64 * 64) {}

  HWY_INLINE void Next() {
    const int64_t bytes = std::min(step_, left_);
    for (int64_t i = 0; i < bytes; i += 64) __builtin_prefetch(at_ + i, kWrite, 2);
    at_ += bytes;
    left_ -= bytes;
  }

 private:
  const char* at_;
  int64_t left_, step_;
};

// About the pixels of tiles first..first+count-1, which follow each other in the image.
template <int kWrite>
HWY_INLINE Prefetcher<kWrite> PrefetchTiles(const cpu::WinogradTiles& tiles, const TapImage& shape,
                                            const float* data, int64_t first, int64_t count,
                                            int64_t calls) {
  const int64_t pixels = tiles.list.n * shape.h * shape.w;
  const int64_t begin = std::min(pixels, pixels * first / tiles.count());
  const int64_t end = std::min(pixels, pixels * (first + count) / tiles.count());
  return Prefetcher<kWrite>(data + begin * shape.pitch, (end - begin) * shape.pitch, calls);
}

// The kSize x kSize pixels of `image` from (y, x) on, `step` apart; zeros outside.
template <int kSize>
HWY_INLINE void PatchPixels(const TapImage& shape, const float* image, int64_t y, int64_t x,
                            int64_t step, const float* zeros, const float* (&pixel)[kSize][kSize]) {
  EBB_UNROLL for (int i = 0; i < kSize; ++i) {
    const int64_t row = y + i * step;
    const bool row_inside = row >= 0 && row < shape.h;
    const float* line = image + row * shape.w * shape.pitch;
    EBB_UNROLL for (int j = 0; j < kSize; ++j) {
      const int64_t column = x + j * step;
      const bool inside = row_inside && column >= 0 && column < shape.w;
      pixel[i][j] = inside ? line + column * shape.pitch : zeros;
    }
  }
}

// B' x for one column of a tile of 2x2 pixels of three taps or 3x3 pixels of two.
HWY_INLINE void WinogradInput(const Vector (&x)[4], Vector (&to)[4]) {
  to[0] = hn::Sub(x[0], x[2]);
  to[1] = hn::Add(x[1], x[2]);
  to[2] = hn::Sub(x[2], x[1]);
  to[3] = hn::Sub(x[1], x[3]);
}

// B' x for one column of a tile of 4x4 pixels; interpolation points 0, 1, -1, 2, -2, infinity.
HWY_INLINE void WinogradInput(const Vector (&x)[6], Vector (&to)[6]) {
  const Vector two = hn::Set(kF32, 2.0f), four = hn::Set(kF32, 4.0f), five = hn::Set(kF32, 5.0f);
  const Vector even1 = hn::NegMulAdd(four, x[2], x[4]), odd1 = hn::NegMulAdd(four, x[1], x[3]);
  const Vector even2 = hn::Sub(x[4], x[2]), odd2 = hn::Mul(two, hn::Sub(x[3], x[1]));
  to[0] = hn::MulAdd(four, x[0], hn::NegMulAdd(five, x[2], x[4]));
  to[1] = hn::Add(even1, odd1);
  to[2] = hn::Sub(even1, odd1);
  to[3] = hn::Add(even2, odd2);
  to[4] = hn::Sub(even2, odd2);
  to[5] = hn::MulAdd(four, x[1], hn::NegMulAdd(five, x[3], x[5]));
}

// part[kSide i + j][c] = (B' x B)[i][j] for the channels of one patch, parts `plane` floats apart.
template <int kSide>
HWY_INLINE void TransformPatch(const float* const (&pixel)[kSide][kSide], int64_t channels,
                               int64_t plane, float* part) {
  for (int64_t c = 0; c < channels; c += kLanes) {
    Vector half[kSide][kSide];
    EBB_UNROLL for (int j = 0; j < kSide; ++j) {
      Vector x[kSide], t[kSide];
      EBB_UNROLL for (int i = 0; i < kSide; ++i) x[i] = hn::LoadU(kF32, pixel[i][j] + c);
      WinogradInput(x, t);
      EBB_UNROLL for (int i = 0; i < kSide; ++i) half[i][j] = t[i];
    }
    EBB_UNROLL for (int i = 0; i < kSide; ++i) {
      Vector t[kSide];
      WinogradInput(half[i], t);
      EBB_UNROLL for (int j = 0; j < kSide; ++j) {
        hn::Store(t[j], kF32, part + (kSide * i + j) * plane + c);
      }
    }
  }
}

// The same for the channels of all parities of one tile.
template <int kSide>
HWY_INLINE void TransformInput(const cpu::WinogradTiles& tiles, const float* in, int64_t index,
                               int64_t plane, float* part) {
  const TapImage& shape = tiles.list.in;
  const WinogradTile tile(tiles, index);
  const float* image = in + tile.image * shape.elements();
  const int64_t parities = tiles.in_parities(), step = parities == 1 ? 1 : 2;
  const int64_t y = tiles.top + step * tiles.size * tile.row;
  const int64_t x = tiles.left + step * tiles.size * tile.column;
  for (int64_t p = 0; p < parities; ++p) {
    const float* pixel[kSide][kSide];
    PatchPixels<kSide>(shape, image, y + p / 2, x + p % 2, step, tiles.zeros, pixel);
    TransformPatch<kSide>(pixel, shape.c, plane, part + p * shape.c);
  }
}

}  // namespace ebb::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
