// The pixels that a strip of a direct convolution reads and writes. Include after
// hwy/foreach_target.h.

// Per-target include guard.
#if defined(EBB_KERNELS_CPU_CONV_STRIP_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef EBB_KERNELS_CPU_CONV_STRIP_INL_H_
#undef EBB_KERNELS_CPU_CONV_STRIP_INL_H_
#else
#define EBB_KERNELS_CPU_CONV_STRIP_INL_H_
#endif

#include <algorithm>

#include "kernels/conv/cpu/conv_direct_simd.h"
#include "kernels/conv/cpu/conv_epilogue-inl.h"
#include "kernels/conv/cpu/conv_tile-inl.h"

HWY_BEFORE_NAMESPACE();
namespace ebb::HWY_NAMESPACE {

using cpu::DirectRun;
using cpu::PhaseTable;

// A grid point of a phase, counted over all images.
struct GridPoint {
  int64_t image, y, x;

  GridPoint(const TapPhase& phase, int64_t index)
      : image(index / phase.pixels()),
        y(index % phase.pixels() / phase.x.grid),
        x(index % phase.x.grid) {}
  void advance(const TapPhase& phase) {
    if (++x < phase.x.grid) return;
    x = 0;
    if (++y < phase.y.grid) return;
    y = 0;
    ++image;
  }
};

// The rows of a strip: input offsets per tap, and the output pixels from channel `first_channel`
// on. A ragged strip repeats its last pixel.
template <int kRows>
struct Strip {
  const float* image[kRows];
  const int64_t* y[kRows];  // [taps y]
  const int64_t* x[kRows];  // [taps x]
  OutputRows<kRows> to;

  HWY_INLINE void Set(const DirectRun& run, const PhaseTable& table, GridPoint& point, int64_t rows,
                      int64_t first_channel) {
    const TapPhase& phase = table.phase;
    const TapImage& out = run.list.out;
    for (int64_t i = 0; i < kRows; ++i) {
      if (i >= rows) {
        image[i] = image[i - 1], y[i] = y[i - 1], x[i] = x[i - 1];
        to.out[i] = to.out[i - 1], to.residual[i] = to.residual[i - 1];
        continue;
      }
      image[i] = run.in + point.image * run.list.in.elements();
      y[i] = table.y + point.y * phase.y.taps;
      x[i] = table.x + point.x * phase.x.taps;
      const int64_t pixel = phase.y.out(point.y) * out.w + phase.x.out(point.x);
      to.out[i] = run.out + point.image * out.elements() + pixel * out.pitch + first_channel;
      to.residual[i] = nullptr;
      if (run.epilogue.residual != nullptr) {
        const int64_t residual_image = point.image % run.epilogue.residual_n;
        to.residual[i] = run.epilogue.residual + (residual_image * out.h * out.w + pixel) * out.c +
                         first_channel;
      }
      point.advance(phase);
    }
  }

  // The input pixel of each row for one tap.
  HWY_INLINE void Rows(int64_t ty, int64_t tx, const float* zeros,
                       const float* (&row)[kRows]) const {
    EBB_UNROLL for (int i = 0; i < kRows; ++i) {
      const int64_t dy = y[i][ty], dx = x[i][tx];
      row[i] = (dy | dx) < 0 ? zeros : image[i] + dy + dx;
    }
  }
};
// Prefetches the lines that the strip will write: a store that misses delays everything behind it.
template <int kRows>
HWY_INLINE void PrefetchOutput(const OutputRows<kRows>& to, int64_t channels) {
  constexpr int64_t kLineFloats = 16;
  for (int i = 0; i < kRows; ++i) {
    for (int64_t c = 0; c < channels; c += kLineFloats) __builtin_prefetch(to.out[i] + c, 1, 3);
  }
}
}  // namespace ebb::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
