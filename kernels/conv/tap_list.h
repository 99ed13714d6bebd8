#pragma once

#include <cstdint>

#include "kernels/conv/conv.h"

namespace ebb {

// Every pass of a convolution is the same sum. An output pixel reads input pixels at fixed offsets
// ("taps"), each with its own kernel position:
//
//   out[gy * out_step + out_offset, ...] = sum over taps of
//       in[gy * in_step + in_offset(tap), ...] * w[k(tap), ...]     (zero outside the input image)
//
// If a pass scatters with a stride (transposed convolution, data gradient of a strided one), the
// outputs fall into stride x stride parity classes ("phases") with their own taps; otherwise there
// is one phase. A phase may have no taps: its outputs are zero. Rows and columns are independent,
// so a phase is a pair of axes. Plain arithmetic without containers, for host and device.

// One axis of one phase.
struct TapAxis {
  int64_t grid = 0;                      // output points of this phase
  int64_t out_step = 1, out_offset = 0;  // output coordinate of grid point g
  int64_t in_step = 1, in_first = 0;     // input coordinate of grid point g and tap t:
                                         //   g * in_step + in_first + t
  int64_t taps = 0;
  int64_t k_first = 0, k_delta = 1;  // kernel coordinate of tap t: k_first + t * k_delta

  constexpr int64_t out(int64_t g) const { return g * out_step + out_offset; }
  constexpr int64_t in(int64_t g, int64_t t) const { return g * in_step + in_first + t; }
  constexpr int64_t k(int64_t t) const { return k_first + t * k_delta; }
};

// out[a] reads in[a * stride - pad + k].
constexpr TapAxis gather_axis(int64_t out_size, int64_t kernel, int64_t stride, int64_t pad) {
  return {.grid = out_size, .in_step = stride, .in_first = -pad, .taps = kernel};
}

// in[i] adds to out[i * stride - pad + k]; the outputs a = phase (mod stride). Solved for i:
// k = phase + pad (mod stride) and i = (a + pad - k) / stride. Taps run from the largest k down, so
// that i grows.
constexpr TapAxis scatter_axis(int64_t out_size, int64_t kernel, int64_t stride, int64_t pad,
                               int64_t phase) {
  const int64_t k_smallest = (phase + pad) % stride;
  const int64_t taps = k_smallest < kernel ? (kernel - k_smallest + stride - 1) / stride : 0;
  const int64_t k_largest = k_smallest + (taps - 1) * stride;
  return {.grid = phase < out_size ? (out_size - phase + stride - 1) / stride : 0,
          .out_step = stride,
          .out_offset = phase,
          .in_first = (phase + pad - k_largest) / stride,
          .taps = taps,
          .k_first = k_largest,
          .k_delta = -stride};
}

// A tap as offsets from the grid point's input position (gy * in_step, gx * in_step), and its place
// in the kernel.
struct Tap {
  int64_t dy, dx, ky, kx;
};

struct TapPhase {
  TapAxis y, x;

  constexpr int64_t taps() const { return y.taps * x.taps; }
  constexpr int64_t pixels() const { return y.grid * x.grid; }
  constexpr Tap tap(int64_t t) const {
    const int64_t ty = t / x.taps, tx = t % x.taps;
    return {y.in(0, ty), x.in(0, tx), y.k(ty), x.k(tx)};
  }
};

// One side of a pass: an NHWC tensor of the pass's image count.
struct TapImage {
  int64_t h, w, c;
  int64_t pitch;  // elements from pixel to pixel

  constexpr int64_t elements() const { return h * w * pitch; }  // from image to image
};

// One pass over n images. For kBackwardWeight `out` is the operand read at the grid points and `in`
// the one read through the taps:
//   dw[k(tap)][in channel][out channel] = sum over grid points of in[tap] * out[grid point]
struct TapList {
  int64_t n;
  TapImage in, out;
  int64_t kh, kw, stride, pad;
  bool scatter;
  DType weight_dtype = DType::kF32;  // as in ConvGeometry

  constexpr int64_t phases() const { return scatter ? stride * stride : 1; }
  constexpr TapPhase phase(int64_t p) const {
    if (!scatter) {
      return {gather_axis(out.h, kh, stride, pad), gather_axis(out.w, kw, stride, pad)};
    }
    return {scatter_axis(out.h, kh, stride, pad, p / stride),
            scatter_axis(out.w, kw, stride, pad, p % stride)};
  }
};

// Forward reads x and writes y; backward input reads dy and writes dx; backward weight reads
// through the taps whichever of x and dy the kernel slides over.
constexpr TapList tap_list(const ConvGeometry& g, ConvPass pass) {
  const TapImage x{g.h, g.w, g.c, g.x_pitch};
  const TapImage y{g.ho, g.wo, g.o, g.y_pitch};
  const bool x_to_y =
      pass == ConvPass::kForward || (pass == ConvPass::kBackwardWeight && !g.transposed);
  return {
      .n = g.n,
      .in = x_to_y ? x : y,
      .out = x_to_y ? y : x,
      .kh = g.kh,
      .kw = g.kw,
      .stride = g.stride,
      .pad = g.pad,
      .scatter = pass != ConvPass::kBackwardWeight && (pass == ConvPass::kForward) == g.transposed,
      .weight_dtype = g.weight_dtype};
}

}  // namespace ebb
