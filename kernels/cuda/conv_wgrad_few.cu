#include <algorithm>

#include "kernels/cuda/conv_pass.h"
#include "kernels/cuda/conv_plan.h"

// Weight gradient where one side has few channels, the narrow one. The sums are
//   sum[row, c] = sum over pixels q of the wide side of narrow[q, row] * wide[q, c]
// with rows (tap, narrow channel). A thread owns four channels c and up to kRows rows, and walks
// over every kLanes-th pixel of its split, so that a group of rows reads the wide side once. What
// the rows take from the narrow side for kPoints pixels lies in shared memory.
namespace ebb::EBB_GPU_NAMESPACE {
namespace {

constexpr int kBlockThreads = 256, kWidth = 4, kRows = kConvFewRows, kPoints = 64;
constexpr int kPacks = kConvFewChannels / kWidth;
constexpr int kLanes = kBlockThreads / kPacks;
constexpr int kWideLoads = kPoints / kLanes;
constexpr int kRowLanes = kBlockThreads / kPoints;
constexpr int kNarrowLoads = kRows / kRowLanes;

struct Stage {
  alignas(16) float narrow[kPoints][kRows];
};

// Sums of four rows from all lanes.
struct LaneSums {
  alignas(16) float v[kLanes][4][kConvFewChannels];
};

// What a thread brings for kPoints pixels: packs of the wide side that it multiplies itself, and
// numbers of the narrow side for all.
template <class T>
struct Loaded {
  Pack<T, kWidth> wide[kWideLoads];
  float narrow[kNarrowLoads];
};

// Coordinate of the narrow side that kernel position k joins with one of the wide side, or one
// outside the image.
SIMT_DEVICE int joined(bool narrow_in, int wide, int k, int stride, int pad) {
  if (narrow_in) return wide * stride - pad + k;
  const int steps = wide + pad - k;
  if (stride == 1) return steps;
  return steps % stride == 0 ? steps / stride : -1;
}

template <class T>
struct Sides {
  SIMT_DEVICE explicit Sides(const ConvWgradArgs<T>& args)
      : narrow_in(args.list.in.c <= args.list.out.c),
        wide(narrow_in ? args.list.out : args.list.in),
        narrow(narrow_in ? args.list.in : args.list.out),
        wide_at(narrow_in ? args.out : args.in),
        narrow_at(narrow_in ? args.in : args.out) {}

  bool narrow_in;
  TapImage wide, narrow;
  const T *wide_at, *narrow_at;
};

template <class T, bool kPacked>
SIMT_DEVICE void load_wide(const Sides<T>& sides, int channel, int point0, int last,
                           Loaded<T>& to) {
  const int left = static_cast<int>(sides.wide.c) - channel;
#pragma unroll
  for (int i = 0; i < kWideLoads; ++i) {
    const int p = point0 + static_cast<int>(threadIdx.x) / kPacks + i * kLanes;
    to.wide[i] = {};
    if (p >= last || left <= 0) continue;
    const T* from = sides.wide_at + p * sides.wide.pitch + channel;
    if constexpr (kPacked) {
      to.wide[i] = load_pack<kWidth>(from);
    } else {
#pragma unroll
      for (int e = 0; e < kWidth; ++e) {
        if (e < left) to.wide[i].v[e] = from[e];
      }
    }
  }
}

// Rows beyond `rows` and pixels from `last` on are zero.
template <class T>
SIMT_DEVICE void load_narrow(const TapList& list, const Sides<T>& sides, int row0, int rows,
                             int point0, int last, Loaded<T>& to) {
  const int thread = static_cast<int>(threadIdx.x), p = point0 + thread % kPoints;
  const int width = static_cast<int>(sides.wide.w), kw = static_cast<int>(list.kw);
  const int pixels = static_cast<int>(sides.wide.h) * width, few = static_cast<int>(sides.narrow.c);
  const int stride = static_cast<int>(list.stride), pad = static_cast<int>(list.pad);
  const int pixel = p % pixels, wide_y = pixel / width, wide_x = pixel % width;
  const T* image = sides.narrow_at + p / pixels * sides.narrow.elements();
#pragma unroll
  for (int i = 0; i < kNarrowLoads; ++i) {
    const int row = row0 + thread / kPoints + i * kRowLanes, tap = row / few;
    const int y = joined(sides.narrow_in, wide_y, tap / kw, stride, pad);
    const int x = joined(sides.narrow_in, wide_x, tap % kw, stride, pad);
    const bool inside =
        p < last && row < rows && y >= 0 && x >= 0 && y < sides.narrow.h && x < sides.narrow.w;
    to.narrow[i] = 0;
    if (!inside) continue;
    const int pixel_at = y * static_cast<int>(sides.narrow.w) + x;
    to.narrow[i] = to_float(image[pixel_at * sides.narrow.pitch + row % few]);
  }
}

template <class T>
SIMT_DEVICE void store_narrow(const Loaded<T>& from, Stage& stage) {
  const int thread = static_cast<int>(threadIdx.x);
#pragma unroll
  for (int i = 0; i < kNarrowLoads; ++i) {
    stage.narrow[thread % kPoints][thread / kPoints + i * kRowLanes] = from.narrow[i];
  }
}

template <class T>
SIMT_DEVICE void multiply(const Stage& stage, const Loaded<T>& loaded,
                          float (&sum)[kRows][kWidth]) {
#pragma unroll
  for (int i = 0; i < kWideLoads; ++i) {
    const float* narrow = stage.narrow[static_cast<int>(threadIdx.x) / kPacks + i * kLanes];
#pragma unroll
    for (int row = 0; row < kRows; row += 4) {
      const auto four = load_pack<4>(narrow + row);
#pragma unroll
      for (int r = 0; r < 4; ++r) {
#pragma unroll
        for (int e = 0; e < kWidth; ++e) {
          sum[row + r][e] = fmaf(four.v[r], to_float(loaded.wide[i].v[e]), sum[row + r][e]);
        }
      }
    }
  }
}

template <class T, bool kPacked>
__global__ void __launch_bounds__(kBlockThreads, 2)
    conv_wgrad_few_kernel(ConvWgradArgs<T> args, int rows_per_group) {
  SIMT_SHARED(Stage, stages, [2]);
  SIMT_SHARED(LaneSums, lanes);
  const TapList& list = args.list;
  const Sides<T> sides(args);
  const int thread = static_cast<int>(threadIdx.x), lane = thread / kPacks;
  const int in_block = thread % kPacks * kWidth, few = static_cast<int>(sides.narrow.c);
  const int row0 = static_cast<int>(blockIdx.x) * rows_per_group;
  const int rows = min(row0 + rows_per_group, static_cast<int>(list.kh * list.kw) * few);
  const int channel0 = static_cast<int>(blockIdx.y) * kConvFewChannels;
  const int split = static_cast<int>(blockIdx.z), first = split * args.points_per_split;
  const int last =
      min(first + args.points_per_split, static_cast<int>(list.n * sides.wide.h * sides.wide.w));
  float sum[kRows][kWidth] = {};
  Loaded<T> next;
  load_wide<T, kPacked>(sides, channel0 + in_block, first, last, next);
  load_narrow(list, sides, row0, rows, first, last, next);
  for (int point = first, current = 0; point < last; point += kPoints, current ^= 1) {
    const Loaded<T> loaded = next;
    // The other stage is what threads may still read from the step before.
    store_narrow(loaded, stages[current]);
    __syncthreads();
    if (point + kPoints < last) {
      load_wide<T, kPacked>(sides, channel0 + in_block, point + kPoints, last, next);
      load_narrow(list, sides, row0, rows, point + kPoints, last, next);
    }
    multiply(stages[current], loaded, sum);
  }
  const int64_t columns = list.out.c, channels = list.in.c;
  float* partial = args.partials + split * list.kh * list.kw * channels * columns;
#pragma unroll
  for (int first_row = 0; first_row < kRows; first_row += 4) {
#pragma unroll
    for (int r = 0; r < 4; ++r) {
      Pack<float, kWidth> pack;
#pragma unroll
      for (int e = 0; e < kWidth; ++e) pack.v[e] = sum[first_row + r][e];
      store_pack(&lanes.v[lane][r][in_block], pack);
    }
    __syncthreads();
    const int r = thread / kConvFewChannels, in_tile = thread % kConvFewChannels;
    float total = lanes.v[0][r][in_tile];
#pragma unroll
    for (int i = 1; i < kLanes; ++i) total += lanes.v[i][r][in_tile];
    const int row = row0 + first_row + r, tap = row / few, channel = channel0 + in_tile;
    if (row < rows && channel < sides.wide.c) {
      const int64_t at = sides.narrow_in ? row * columns + channel
                                         : (tap * channels + channel) * columns + row % few;
      partial[at] = total;
    }
    __syncthreads();
  }
}

}  // namespace

template <class T>
void conv_wgrad_few(const ConvWgradArgs<T>& args, StreamHandle stream) {
  const TapList& list = args.list;
  const bool narrow_in = list.in.c <= list.out.c;
  const TapImage& wide = narrow_in ? list.out : list.in;
  const uintptr_t at = reinterpret_cast<uintptr_t>(narrow_in ? args.out : args.in);
  const bool packed =
      at % (kWidth * sizeof(T)) == 0 && wide.c % kWidth == 0 && wide.pitch % kWidth == 0;
  const int64_t rows = list.kh * list.kw * std::min(list.in.c, list.out.c);
  const int64_t groups = ceil_div(rows, kRows);
  static_assert(kBlockThreads == 4 * kConvFewChannels, "each thread adds one sum of four rows");
  simt::launch({.name = "conv_wgrad_few",
                .grid = dim3(static_cast<unsigned>(groups),
                             static_cast<unsigned>(ceil_div(wide.c, kConvFewChannels)),
                             static_cast<unsigned>(args.splits)),
                .block = dim3(kBlockThreads),
                .stream = stream},
               packed ? conv_wgrad_few_kernel<T, true> : conv_wgrad_few_kernel<T, false>, args,
               static_cast<int>(ceil_div(rows, groups)));
}
template void conv_wgrad_few(const ConvWgradArgs<float>&, StreamHandle);
template void conv_wgrad_few(const ConvWgradArgs<__nv_bfloat16>&, StreamHandle);
template void conv_wgrad_few(const ConvWgradArgs<__half>&, StreamHandle);

}  // namespace ebb::EBB_GPU_NAMESPACE
