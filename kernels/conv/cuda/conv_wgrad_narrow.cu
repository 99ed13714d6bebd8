#include "kernels/conv/cuda/conv_pass.h"
#include "kernels/conv/cuda/conv_plan.h"
#include "kernels/simt/host_device.h"

// Weight gradient where one side has few channels, the narrow one. The sums are
//   sum[row, c] = sum over pixels q of the wide side of narrow[q, row] * wide[q, c]
// with rows (tap, narrow channel). A thread owns four channels c and up to kRows rows, and loops
// over every kLanes-th pixel of its split, so that a group of rows reads the wide side once. A step
// loads kPoints pixels into shared memory: of the wide side each thread what it multiplies itself,
// kStages - 1 steps ahead, and of the narrow side for all what the rows take from it.
namespace ebb::EBB_GPU_NAMESPACE {
namespace {

constexpr int kBlockThreads = 256, kStages = 3, kPoints = 64, kRows = kConvNarrowRows;
constexpr int kWidth = 4, kPacks = kConvNarrowColumns / kWidth;
constexpr int kLanes = kBlockThreads / kPacks;
constexpr int kWideLoads = kPoints / kLanes;
constexpr int kRowLanes = kBlockThreads / kPoints;
constexpr int kNarrowLoads = kRows / kRowLanes;

template <class T>
struct Pipeline {
  alignas(16) T wide[kStages][kPoints][kConvNarrowColumns];
  alignas(16) float narrow[2][kPoints][kRows];
};

// Sums of four rows from all lanes.
struct LaneSums {
  alignas(16) float v[kLanes][4][kConvNarrowColumns];
};
static_assert(sizeof(LaneSums) <= sizeof(Pipeline<__half>));

template <class T, bool kNarrowIn>
struct Sides {
  const ConvWgradArgs<T>& args;

  EBB_HOST_DEVICE const TapImage& wide() const { return kNarrowIn ? args.list.out : args.list.in; }
  EBB_HOST_DEVICE const TapImage& narrow() const {
    return kNarrowIn ? args.list.in : args.list.out;
  }
  EBB_HOST_DEVICE const T* wide_at() const { return kNarrowIn ? args.out : args.in; }
  EBB_HOST_DEVICE const T* narrow_at() const { return kNarrowIn ? args.in : args.out; }
};

// Loads the wide side of a thread's pixels, step by step.
template <class T, bool kNarrowIn, bool kPacked>
class WideLoader {
 public:
  SIMT_DEVICE WideLoader(const Sides<T, kNarrowIn>& sides, int channel, int point0)
      : sides_(sides),
        left_(static_cast<int>(sides.wide().c) - channel),
        point_(point0 + static_cast<int>(threadIdx.x) / kPacks),
        from_(sides.wide_at() + point_ * sides.wide().pitch + channel) {}

  // Pixels from `last` on are zero.
  SIMT_DEVICE void load_next(int last, T (&to)[kPoints][kConvNarrowColumns]) {
    const int thread = static_cast<int>(threadIdx.x);
    const int64_t pitch = sides_.wide().pitch;
#pragma unroll
    for (int i = 0; i < kWideLoads; ++i) {
      T* dst = &to[thread / kPacks + i * kLanes][thread % kPacks * kWidth];
      const T* src = from_ + i * kLanes * pitch;
      const bool valid = point_ + i * kLanes < last && left_ > 0;
      if constexpr (kPacked) {
        simt::cp_async<sizeof(T) * kWidth>(dst, valid ? src : sides_.wide_at(), valid);
      } else {
#pragma unroll
        for (int e = 0; e < kWidth; ++e) dst[e] = valid && e < left_ ? src[e] : from_float<T>(0);
      }
    }
    from_ += kPoints * pitch;
    point_ += kPoints;
  }

 private:
  const Sides<T, kNarrowIn>& sides_;
  const int left_;  // channels
  int point_;
  const T* from_;
};

// Loads the narrow side of one pixel per step for a thread's rows; the pixel moves on without a
// division.
template <class T, bool kNarrowIn>
class NarrowLoader {
 public:
  // Rows beyond `rows` are zero.
  SIMT_DEVICE NarrowLoader(const TapList& list, const Sides<T, kNarrowIn>& sides, int row0,
                           int rows, int point0)
      : sides_(sides),
        stride_(static_cast<int>(list.stride)),
        pad_(static_cast<int>(list.pad)),
        width_(static_cast<int>(sides.wide().w)),
        height_(static_cast<int>(sides.wide().h)),
        point_(point0 + static_cast<int>(threadIdx.x) % kPoints) {
    const int pixels = height_ * width_, narrow_channels = static_cast<int>(sides.narrow().c);
    const int kw = static_cast<int>(list.kw);
    image_ = sides.narrow_at() + point_ / pixels * sides.narrow().elements();
    y_ = point_ % pixels / width_;
    x_ = point_ % width_;
#pragma unroll
    for (int i = 0; i < kNarrowLoads; ++i) {
      const int row = row0 + static_cast<int>(threadIdx.x) / kPoints + i * kRowLanes;
      const int ky = row / narrow_channels / kw, kx = row / narrow_channels % kw;
      row_[i] = row < rows ? (row % narrow_channels << 16 | ky << 8 | kx) : -1;
    }
    step_image_ = kPoints / pixels * sides.narrow().elements();
    step_y_ = kPoints % pixels / width_;
    step_x_ = kPoints % width_;
  }

  // Pixels from `last` on are zero.
  SIMT_DEVICE void load_next(int last, float (&to)[kNarrowLoads]) {
#pragma unroll
    for (int i = 0; i < kNarrowLoads; ++i) {
      const int y = joined(y_, row_[i] >> 8 & 0xff), x = joined(x_, row_[i] & 0xff);
      const int width = static_cast<int>(sides_.narrow().w);
      const bool inside = point_ < last && row_[i] >= 0 &&
                          static_cast<unsigned>(y) < static_cast<unsigned>(sides_.narrow().h) &&
                          static_cast<unsigned>(x) < static_cast<unsigned>(width);
      to[i] = 0;
      if (inside)
        to[i] = to_float(image_[(y * width + x) * sides_.narrow().pitch + (row_[i] >> 16)]);
    }
    advance();
  }

 private:
  // Coordinate of the narrow side that kernel position k joins with one of the wide side, or one
  // outside the image.
  SIMT_DEVICE int joined(int wide, int k) const {
    if constexpr (kNarrowIn) return wide * stride_ - pad_ + k;
    const int steps = wide + pad_ - k;
    if (stride_ == 1) return steps;
    return steps % stride_ == 0 ? steps / stride_ : -1;
  }

  // To the pixel kPoints further: a number of images, rows and columns, and what they carry.
  SIMT_DEVICE void advance() {
    point_ += kPoints;
    image_ += step_image_;
    y_ += step_y_;
    x_ += step_x_;
    if (x_ >= width_) {
      x_ -= width_;
      ++y_;
    }
    if (y_ >= height_) {
      y_ -= height_;
      image_ += sides_.narrow().elements();
    }
  }

  const Sides<T, kNarrowIn>& sides_;
  const int stride_, pad_, width_, height_;
  int point_, y_, x_, step_y_, step_x_;
  int64_t step_image_;
  const T* image_;
  int row_[kNarrowLoads];  // channel, ky, kx of a byte each; -1 for no row
};

SIMT_DEVICE void store_narrow(const float (&from)[kNarrowLoads], float (&to)[kPoints][kRows]) {
  const int thread = static_cast<int>(threadIdx.x);
#pragma unroll
  for (int i = 0; i < kNarrowLoads; ++i) {
    to[thread % kPoints][thread / kPoints + i * kRowLanes] = from[i];
  }
}

template <class T>
SIMT_DEVICE void multiply(const T (&wide)[kPoints][kConvNarrowColumns],
                          const float (&narrow)[kPoints][kRows], float (&sum)[kRows][kWidth]) {
  const int thread = static_cast<int>(threadIdx.x);
#pragma unroll 2  // of four, for which registers do not suffice
  for (int i = 0; i < kWideLoads; ++i) {
    const int point = thread / kPacks + i * kLanes;
    const auto pack = load_pack<kWidth>(&wide[point][thread % kPacks * kWidth]);
#pragma unroll
    for (int row = 0; row < kRows; row += 4) {
      const auto four = load_pack<4>(&narrow[point][row]);
#pragma unroll
      for (int r = 0; r < 4; ++r) {
#pragma unroll
        for (int e = 0; e < kWidth; ++e) {
          sum[row + r][e] = fmaf(four.v[r], to_float(pack.v[e]), sum[row + r][e]);
        }
      }
    }
  }
}

template <class T, bool kNarrowIn, bool kPacked>
__global__ void __launch_bounds__(kBlockThreads, 2)
    conv_wgrad_narrow_kernel(ConvWgradArgs<T> args, int rows_per_group) {
  SIMT_DYNAMIC_SHARED(Pipeline<T>, pipeline);
  const TapList& list = args.list;
  const Sides<T, kNarrowIn> sides{args};
  const int thread = static_cast<int>(threadIdx.x), lane = thread / kPacks;
  const int in_block = thread % kPacks * kWidth,
            narrow_channels = static_cast<int>(sides.narrow().c);
  const int row0 = static_cast<int>(blockIdx.x) * rows_per_group;
  const int rows =
      min(row0 + rows_per_group, static_cast<int>(list.kh * list.kw) * narrow_channels);
  const int channel0 = static_cast<int>(blockIdx.y) * kConvNarrowColumns;
  const int split = static_cast<int>(blockIdx.z), first = split * args.points_per_split;
  const int last = min(first + args.points_per_split,
                       static_cast<int>(list.n * sides.wide().h * sides.wide().w));
  const int steps = (last - first + kPoints - 1) / kPoints;
  float sum[kRows][kWidth] = {}, next[kNarrowLoads];
  WideLoader<T, kNarrowIn, kPacked> wide(sides, channel0 + in_block, first);
  NarrowLoader<T, kNarrowIn> narrow(list, sides, row0, rows, first);
#pragma unroll
  for (int s = 0; s < kStages - 1; ++s) {
    if (s < steps) wide.load_next(last, pipeline->wide[s]);
    simt::cp_async_commit();
  }
  narrow.load_next(last, next);
  for (int step = 0; step < steps; ++step) {
    // Threads may still read the other place from the step before.
    store_narrow(next, pipeline->narrow[step % 2]);
    simt::cp_async_wait<kStages - 2>();
    __syncthreads();
    if (step + kStages - 1 < steps) {
      wide.load_next(last, pipeline->wide[(step + kStages - 1) % kStages]);
    }
    simt::cp_async_commit();
    if (step + 1 < steps) narrow.load_next(last, next);
    multiply(pipeline->wide[step % kStages], pipeline->narrow[step % 2], sum);
  }
  simt::cp_async_wait<0>();
  __syncthreads();  // all have left the last stage: the sums take its place
  LaneSums& lanes = *reinterpret_cast<LaneSums*>(pipeline);
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
    const int r = thread / kConvNarrowColumns, in_tile = thread % kConvNarrowColumns;
    float total = lanes.v[0][r][in_tile];
#pragma unroll
    for (int i = 1; i < kLanes; ++i) total += lanes.v[i][r][in_tile];
    const int row = row0 + first_row + r, tap = row / narrow_channels, channel = channel0 + in_tile;
    if (row < rows && channel < sides.wide().c) {
      const int64_t at = kNarrowIn ? row * columns + channel
                                   : (tap * channels + channel) * columns + row % narrow_channels;
      partial[at] = total;
    }
    __syncthreads();
  }
}

template <class T, bool kNarrowIn>
void run(const ConvWgradArgs<T>& args, KernelStream stream) {
  const TapList& list = args.list;
  const Sides<T, kNarrowIn> sides{args};
  const TapImage& wide = sides.wide();
  const bool packed = reinterpret_cast<uintptr_t>(sides.wide_at()) % (kWidth * sizeof(T)) == 0 &&
                      wide.c % kWidth == 0 && wide.pitch % kWidth == 0;
  const int64_t rows = list.kh * list.kw * sides.narrow().c, groups = ceil_div(rows, kRows);
  static_assert(kBlockThreads == 4 * kConvNarrowColumns, "each thread adds one sum of four rows");
  simt::launch({.name = "conv_wgrad_narrow",
                .grid = dim3(static_cast<unsigned>(groups),
                             static_cast<unsigned>(ceil_div(wide.c, kConvNarrowColumns)),
                             static_cast<unsigned>(args.splits)),
                .block = dim3(kBlockThreads),
                .shared_bytes = static_cast<int64_t>(sizeof(Pipeline<T>)),
                .stream = stream},
               packed ? conv_wgrad_narrow_kernel<T, kNarrowIn, true>
                      : conv_wgrad_narrow_kernel<T, kNarrowIn, false>,
               args, static_cast<int>(ceil_div(rows, groups)));
}

}  // namespace

template <class T>
void conv_wgrad_narrow(const ConvWgradArgs<T>& args, KernelStream stream) {
  args.list.in.c <= args.list.out.c ? run<T, true>(args, stream) : run<T, false>(args, stream);
}
template void conv_wgrad_narrow(const ConvWgradArgs<float>&, KernelStream);
template void conv_wgrad_narrow(const ConvWgradArgs<__nv_bfloat16>&, KernelStream);
template void conv_wgrad_narrow(const ConvWgradArgs<__half>&, KernelStream);

}  // namespace ebb::EBB_GPU_NAMESPACE
