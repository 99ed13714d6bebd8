// Input side of Winograd's F(2x2, 3x3). Include after hwy/foreach_target.h.

// Per-target include guard.
#if defined(EBB_KERNELS_CPU_CONV_WINOGRAD_TRANSFORM_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef EBB_KERNELS_CPU_CONV_WINOGRAD_TRANSFORM_INL_H_
#undef EBB_KERNELS_CPU_CONV_WINOGRAD_TRANSFORM_INL_H_
#else
#define EBB_KERNELS_CPU_CONV_WINOGRAD_TRANSFORM_INL_H_
#endif

#include <algorithm>

#include "kernels/cpu/conv_tile-inl.h"
#include "kernels/cpu/conv_winograd_simd.h"

HWY_BEFORE_NAMESPACE();
namespace ebb::HWY_NAMESPACE {

// Tile `index` of the list of all tiles.
struct WinogradTile {
  int64_t image, row, column;

  WinogradTile(const cpu::WinogradTiles& tiles, int64_t index)
      : image(index / (tiles.rows * tiles.columns)),
        row(index / tiles.columns % tiles.rows),
        column(index % tiles.columns) {}
};

// Asks for the lines of a range a few at a time, between register tiles, so that memory works while
// the products run.
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

// The kSize x kSize pixels of `image` from (y, x) on; zeros outside.
template <int kSize>
HWY_INLINE void PatchPixels(const TapImage& shape, const float* image, int64_t y, int64_t x,
                            const float* zeros, const float* (&pixel)[kSize][kSize]) {
  EBB_UNROLL for (int i = 0; i < kSize; ++i) {
    const bool row_inside = y + i >= 0 && y + i < shape.h;
    const float* line = image + (y + i) * shape.w * shape.pitch;
    EBB_UNROLL for (int j = 0; j < kSize; ++j) {
      const bool inside = row_inside && x + j >= 0 && x + j < shape.w;
      pixel[i][j] = inside ? line + (x + j) * shape.pitch : zeros;
    }
  }
}

// B' x for one column.
HWY_INLINE void WinogradInput(const Vector (&x)[4], Vector (&to)[4]) {
  to[0] = hn::Sub(x[0], x[2]);
  to[1] = hn::Add(x[1], x[2]);
  to[2] = hn::Sub(x[2], x[1]);
  to[3] = hn::Sub(x[1], x[3]);
}

// part[4 i + j][c] = (B' x B)[i][j] for the channels of one tile, parts `plane` floats apart.
HWY_INLINE void TransformInput(const cpu::WinogradTiles& tiles, const float* in, int64_t index,
                               int64_t plane, float* part) {
  const TapImage& shape = tiles.list.in;
  const WinogradTile tile(tiles, index);
  const float* pixel[4][4];
  PatchPixels<4>(shape, in + tile.image * shape.elements(), tiles.top + 2 * tile.row,
                 tiles.left + 2 * tile.column, tiles.zeros, pixel);
  for (int64_t c = 0; c < shape.c; c += kLanes) {
    Vector half[4][4];
    EBB_UNROLL for (int j = 0; j < 4; ++j) {
      Vector x[4], t[4];
      EBB_UNROLL for (int i = 0; i < 4; ++i) x[i] = hn::LoadU(kF32, pixel[i][j] + c);
      WinogradInput(x, t);
      EBB_UNROLL for (int i = 0; i < 4; ++i) half[i][j] = t[i];
    }
    EBB_UNROLL for (int i = 0; i < 4; ++i) {
      Vector t[4];
      WinogradInput(half[i], t);
      EBB_UNROLL for (int j = 0; j < 4; ++j) {
        hn::Store(t[j], kF32, part + (4 * i + j) * plane + c);
      }
    }
  }
}

}  // namespace ebb::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
