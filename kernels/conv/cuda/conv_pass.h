#pragma once

// Shared by all convolution kernels: addresses of the rows and columns of a pass's matrix product
// in memory.

#include "kernels/conv/tap_list.h"
#include "kernels/cuda/elements.h"
#include "kernels/cuda/grid.h"
#include "kernels/pointwise/cuda/activate.h"

namespace ebb::EBB_GPU_NAMESPACE {

// Forward or backward input. For each phase of the tap list a product of
//   A [M, K]: row m is the grid point (image, gy, gx), column k = tap * in.c + channel
//   B [K, N]: packed weights, [N, kernel position, channels_packed] in memory
// with M = n * grid points, N = out.c.
template <class T>
struct ConvPassArgs {
  TapList list;
  int channels_packed;  // in.c, rounded up to whole copies of 16 bytes
  const T* in;
  const T* packed;
  const float* bias;  // [N] or null
  const T* residual;  // [residual_n, out.h, out.w, N] or null
  int64_t residual_n;
  Activation activation;
  const T* scale;  // [scale_n, N] or null
  int64_t scale_n;
  const T* shift;  // [shift_n, N] or null
  int64_t shift_n;
  T* out;
  RowMoments* moments;  // [conv_moment_chunks, N] or null; only where all phases are of one size
};

// One axis of a phase in 32 bits.
struct Axis32 {
  int grid, out_step, out_offset, in_step, in_first, taps, k_first, k_delta;
};
SIMT_DEVICE Axis32 narrow(const TapAxis& a) {
  return {static_cast<int>(a.grid),    static_cast<int>(a.out_step), static_cast<int>(a.out_offset),
          static_cast<int>(a.in_step), static_cast<int>(a.in_first), static_cast<int>(a.taps),
          static_cast<int>(a.k_first), static_cast<int>(a.k_delta)};
}

struct Phase32 {
  Axis32 y, x;
  int images, points;  // grid points of an image

  SIMT_DEVICE int rows() const { return images * points; }
  SIMT_DEVICE int taps() const { return y.taps * x.taps; }
  // Whether row m is pixel m of the output, counted over all images.
  SIMT_DEVICE bool fills_output() const { return y.out_step == 1 && x.out_step == 1; }
  // Kernel position (ky * kw + kx) of a tap.
  SIMT_DEVICE int position(int tap, int kw) const {
    return (y.k_first + tap / x.taps * y.k_delta) * kw + x.k_first + tap % x.taps * x.k_delta;
  }
};
SIMT_DEVICE Phase32 phase_of(const TapList& list, int phase) {
  const TapPhase p = list.phase(phase);
  return {narrow(p.y), narrow(p.x), static_cast<int>(list.n), static_cast<int>(p.pixels())};
}

// A grid point's place in the input: tap (0, 0) reads pixel (y, x) of an image whose first row is
// row `top` of all images.
struct InputPoint {
  static constexpr int kNowhere = -(1 << 30);  // y and x, from where no tap reaches the image
  int top, y, x;

  // The pixel that tap (0, 0) reads, of all images.
  SIMT_DEVICE int pixel(int width) const { return y == kNowhere ? 0 : (top + y) * width + x; }
};
// Rows beyond the last read nothing.
SIMT_DEVICE InputPoint input_point(const TapImage& in, const Phase32& phase, int row) {
  constexpr int kNowhere = InputPoint::kNowhere;
  if (row >= phase.rows()) return {0, kNowhere, kNowhere};
  const int image = row / phase.points, point = row % phase.points;
  return {image * static_cast<int>(in.h), point / phase.x.grid * phase.y.in_step + phase.y.in_first,
          point % phase.x.grid * phase.x.in_step + phase.x.in_first};
}

// Offset of the pixel that a tap of the point reads, or -1 outside the image.
SIMT_DEVICE int64_t input_offset(const TapImage& in, const InputPoint& point, int taps_x, int tap) {
  const int y = point.y + tap / taps_x, x = point.x + tap % taps_x;
  const bool inside = static_cast<unsigned>(y) < static_cast<unsigned>(in.h) &&
                      static_cast<unsigned>(x) < static_cast<unsigned>(in.w);
  return inside ? int64_t{(point.top + y) * static_cast<int>(in.w) + x} * in.pitch : -1;
}

// Position in the terms of a sum: tap (y, x) of the phase, channel of the input. Advances by steps
// instead of divisions, which would take longer than the products.
struct TapIterator {
  int y = 0, x = 0, channel = 0;

  SIMT_DEVICE void advance(int by, int channels, int taps_x) {
    channel += by;
    while (channel >= channels) {
      channel -= channels;
      if (++x == taps_x) {
        x = 0;
        ++y;
      }
    }
  }
  // Kernel position (ky * kw + kx) of the tap.
  SIMT_DEVICE int position(const Phase32& phase, int kw) const {
    return (phase.y.k_first + y * phase.y.k_delta) * kw + phase.x.k_first + x * phase.x.k_delta;
  }
};

// A grid point's place in the output.
struct OutputPoint {
  int image;
  int64_t pixel;  // of the image
};
SIMT_DEVICE OutputPoint output_point(const TapImage& out, const Phase32& phase, int row) {
  const int image = row / phase.points, point = row % phase.points;
  const int y = point / phase.x.grid * phase.y.out_step + phase.y.out_offset;
  const int x = point % phase.x.grid * phase.x.out_step + phase.x.out_offset;
  return {image, int64_t{y} * static_cast<int>(out.w) + x};
}

// The same for all threads, so a branch costs little, and kernels are compiled once for all.
SIMT_DEVICE float activate(Activation activation, float x) {
  if (activation == Activation::kGelu) return gelu(x);
  if (activation == Activation::kSilu) return silu(x);
  if (activation == Activation::kGeluTanh) return gelu_tanh(x);
  return x;
}

inline constexpr int kEpilogueWidth = 4;  // channels that a thread finishes at once

// Whether packs of kEpilogueWidth channels can be written: all rows of out and residual are
// aligned.
template <class T>
bool output_packs_fit(const ConvPassArgs<T>& args) {
  const TapImage& out = args.list.out;
  constexpr uintptr_t kBytes = sizeof(T) * kEpilogueWidth;
  return out.c % kEpilogueWidth == 0 && out.pitch % kEpilogueWidth == 0 &&
         reinterpret_cast<uintptr_t>(args.out) % kBytes == 0 &&
         reinterpret_cast<uintptr_t>(args.residual) % kBytes == 0;
}

// Sums of kRows grid points by kColumns channels in shared memory. The pitch lets the lanes of a
// warp store pairs (mma fragments) or single sums (conv_simt.cu) without bank conflicts.
template <int kRows, int kColumns>
struct SumTile {
  static constexpr int kPitch = kColumns + 8;
  float v[kRows][kPitch];
};

// The channels of one thread's epilogue: four neighbors, of which `count` exist.
struct EpilogueChannels {
  int channel, count;
  float bias[kEpilogueWidth];
};
template <class T>
SIMT_DEVICE EpilogueChannels epilogue_channels(const ConvPassArgs<T>& args, int channel) {
  EpilogueChannels result{channel, static_cast<int>(args.list.out.c) - channel, {}};
  if (args.bias == nullptr) return result;
#pragma unroll
  for (int i = 0; i < kEpilogueWidth; ++i) {
    if (i < result.count) result.bias[i] = args.bias[channel + i];
  }
  return result;
}

// out = act(sum + bias + residual) * scale + shift of one pixel. Returns what it stored.
template <class T>
SIMT_DEVICE Pack<T, kEpilogueWidth> epilogue_pixel(const ConvPassArgs<T>& args,
                                                   const OutputPoint& at,
                                                   const EpilogueChannels& channels,
                                                   bool vectorized,
                                                   const float (&sum)[kEpilogueWidth]) {
  const TapImage& out = args.list.out;
  const int64_t pixels = out.h * out.w;
  const int channel = channels.channel, count = channels.count;
  Pack<T, kEpilogueWidth> result{}, residual{};
  const T *from = nullptr, *scale = nullptr, *shift = nullptr;
  if (args.residual != nullptr) {
    from = args.residual + (at.image % args.residual_n * pixels + at.pixel) * out.c + channel;
    if (vectorized) residual = load_pack<kEpilogueWidth>(from);
  }
  if (args.scale != nullptr) scale = args.scale + at.image % args.scale_n * out.c + channel;
  if (args.shift != nullptr) shift = args.shift + at.image % args.shift_n * out.c + channel;
#pragma unroll
  for (int i = 0; i < kEpilogueWidth; ++i) {
    if (i >= count) break;
    float v = sum[i] + channels.bias[i];
    if (from != nullptr) v += to_float(vectorized ? residual.v[i] : from[i]);
    v = activate(args.activation, v);
    if (scale != nullptr) v *= to_float(scale[i]);
    if (shift != nullptr) v += to_float(shift[i]);
    result.v[i] = from_float<T>(v);
  }
  T* to = args.out + at.image * out.elements() + at.pixel * out.pitch + channel;
  if (vectorized) {
    store_pack<kEpilogueWidth>(to, result);
    return result;
  }
#pragma unroll
  for (int i = 0; i < kEpilogueWidth; ++i) {
    if (i < count) to[i] = result.v[i];
  }
  return result;
}

// Makes output of a tile: kThreads threads, four neighboring channels each, in the order of memory.
// Sums go through shared memory because the code of the activations would otherwise exist once for
// every register that holds one. If moments are requested, the output overwrites the tile.
template <int kThreads, int kRows, int kColumns, class T>
SIMT_DEVICE void epilogue_tile(const ConvPassArgs<T>& args, const Phase32& phase, int row0,
                               int column0, int thread, bool vectorized,
                               SumTile<kRows, kColumns>& tile) {
  constexpr int kPacks = kColumns / kEpilogueWidth, kRowStep = kThreads / kPacks;
  static_assert(kThreads % kPacks == 0);
  const int column = thread % kPacks * kEpilogueWidth;
  const EpilogueChannels channels = epilogue_channels(args, column0 + column);
  if (channels.count <= 0) return;
  const int rows = min(kRows, phase.rows() - row0);
  // Rows that are the output's pixels one after the other, and sums that only the bias is added to:
  // short enough to have several under way.
  const bool plain = vectorized && phase.fills_output() && args.residual == nullptr &&
                     args.scale == nullptr && args.shift == nullptr &&
                     args.activation == Activation::kNone;
  if (plain) {
    T* to = args.out + int64_t{row0} * args.list.out.pitch + channels.channel;
#pragma unroll 4
    for (int row = thread / kPacks; row < rows; row += kRowStep) {
      auto sums = load_pack<kEpilogueWidth>(&tile.v[row][column]);
      Pack<T, kEpilogueWidth> made;
#pragma unroll
      for (int k = 0; k < kEpilogueWidth; ++k) {
        made.v[k] = from_float<T>(sums.v[k] + channels.bias[k]);
        sums.v[k] = to_float(made.v[k]);
      }
      store_pack<kEpilogueWidth>(to + row * args.list.out.pitch, made);
      if (args.moments != nullptr) store_pack<kEpilogueWidth>(&tile.v[row][column], sums);
    }
    return;
  }
#pragma unroll 1
  for (int row = thread / kPacks; row < rows; row += kRowStep) {
    const auto sums = load_pack<kEpilogueWidth>(&tile.v[row][column]);
    const auto made = epilogue_pixel(args, output_point(args.list.out, phase, row0 + row), channels,
                                     vectorized, sums.v);
    if (args.moments == nullptr) continue;
#pragma unroll
    for (int k = 0; k < kEpilogueWidth; ++k) {
      if (k < channels.count) tile.v[row][column + k] = to_float(made.v[k]);
    }
  }
}

// Weight gradient: for every tap the product over all grid points p
//   sum[tap * in.c + ci, co] = sum over p of in[p + tap, ci] * out[p, co]
// in `splits` ranges of points, each with its own partial sums, which are added in order.
template <class T>
struct ConvWgradArgs {
  TapList list;
  const T* in;
  const T* out;
  int splits;
  int points_per_split;  // a multiple of the kernels' step
  float* partials;       // [splits, taps * in.c, out.c]
};

// M of the largest phase.
int64_t max_rows(const TapList& list);

// Blocks of a launch whose tiles are S::kBM rows by S::kBN channels.
template <class S>
int64_t tile_blocks(const TapList& list) {
  return ceil_div(max_rows(list), S::kBM) * ceil_div(list.out.c, S::kBN) * list.phases();
}

// One direct loop per output element: the reference of the others, for any shape.
template <class T>
void conv_naive(const ConvPassArgs<T>& args, KernelStream stream);
void conv_simt(const ConvPassArgs<float>& args, KernelStream stream);
template <class T>
void conv_mma(const ConvPassArgs<T>& args, KernelStream stream);
template <class T>
void conv_wgmma(const ConvPassArgs<T>& args, KernelStream stream);  // 16-bit types, sm_90a
template <class T>
void conv_wgrad_naive(const ConvWgradArgs<T>& args, KernelStream stream);
void conv_wgrad_simt(const ConvWgradArgs<float>& args, KernelStream stream);
template <class T>
void conv_wgrad_mma(const ConvWgradArgs<T>& args, KernelStream stream);
template <class T>
void conv_wgrad_wgmma(const ConvWgradArgs<T>& args, KernelStream stream);  // 16-bit types, sm_90a
// Few channels on one side. The points of a split are pixels of the other, wide side.
template <class T>
void conv_wgrad_narrow(const ConvWgradArgs<T>& args, KernelStream stream);

}  // namespace ebb::EBB_GPU_NAMESPACE
