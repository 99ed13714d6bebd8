#include "kernels/cuda/column_sums.h"
#include "kernels/cuda/elements.h"
#include "kernels/cuda/grid.h"
#include "kernels/spatial/avg_pool.h"

namespace ebb::EBB_GPU_NAMESPACE {
namespace {

// Sizes of one pooling; packs are groups of kWidth channels.
struct PoolSize {
  int64_t n, h, w, c, kh, kw;
};

// kLanes threads per pack of an output pixel take the pixels of its window in turn. A block is
// [kLanes][packs] threads.
template <class T, int kWidth, int kLanes>
__global__ void __launch_bounds__(kThreads, 3)
    avg_pool_forward_kernel(PoolSize s, const T* x, T* y) {
  constexpr int kColumns = kThreads / kLanes, kUnroll = 4;
  const int64_t packs = s.c / kWidth, ho = s.h / s.kh, wo = s.w / s.kw;
  const int64_t count = s.n * ho * wo * packs;
  const int kh = static_cast<int>(s.kh), kw = static_cast<int>(s.kw), area = kh * kw;
  const int64_t i = int64_t{blockIdx.x} * kColumns + threadIdx.x;
  const int64_t pixel = i / packs, channel = i % packs * kWidth;
  const int64_t row = pixel / wo, column = pixel % wo;  // row = n * ho + oy
  float sum[kWidth] = {};
#pragma unroll 1
  for (int tap = threadIdx.y; i < count && tap < area; tap += kUnroll * kLanes) {
    Pack<T, kWidth> v[kUnroll];
#pragma unroll
    for (int u = 0; u < kUnroll; ++u) {  // without a condition, to be in flight together
      const int next = tap + u * kLanes < area ? tap + u * kLanes : tap;
      const int64_t source = (row * kh + next / kw) * s.w + column * kw + next % kw;
      v[u] = load_pack<kWidth>(x + source * s.c + channel);
    }
#pragma unroll
    for (int u = 0; u < kUnroll; ++u) {
      const bool inside = tap + u * kLanes < area;
      for (int e = 0; e < kWidth; ++e) sum[e] += inside ? to_float(v[u].v[e]) : 0.0f;
    }
  }
  if constexpr (kLanes > 1) {
    SIMT_SHARED(float, partial, [kThreads / 32][kWidth][kColumns]);
    reduce_columns(sum, partial);
    for (int e = 0; threadIdx.y == 0 && e < kWidth; ++e) sum[e] = column_sum(partial, e);
  }
  if (threadIdx.y == 0 && i < count) {
    Pack<T, kWidth> mean;
    for (int e = 0; e < kWidth; ++e) {
      mean.v[e] = from_float<T>(sum[e] / static_cast<float>(area));
    }
    store_pack<kWidth>(y + pixel * s.c + channel, mean);
  }
}

template <class T, int kLanes>
void forward(const AvgPoolForwardArgs& args, KernelStream stream) {
  constexpr int kWidth = kPackWidth<T>, kColumns = kThreads / kLanes;
  const bool vectorized = packs_fit(args.x, args.y) && args.c % kWidth == 0;
  const int64_t outputs = args.n * (args.h / args.kh) * (args.w / args.kw) * args.c;
  simt::launch(
      {.name = "avg_pool_forward",
       .grid =
           dim3(static_cast<unsigned>(ceil_div(vectorized ? outputs / kWidth : outputs, kColumns))),
       .block = dim3(kColumns, kLanes),
       .stream = stream},
      vectorized ? avg_pool_forward_kernel<T, kWidth, kLanes>
                 : avg_pool_forward_kernel<T, 1, kLanes>,
      PoolSize{args.n, args.h, args.w, args.c, args.kh, args.kw}, static_cast<const T*>(args.x),
      static_cast<T*>(args.y));
}

// One thread per pack of an input pixel.
template <class T, int kWidth>
__global__ void __launch_bounds__(kThreads)
    avg_pool_backward_kernel(PoolSize s, const T* dy, T* dx) {
  const int64_t packs = s.c / kWidth, wo = s.w / s.kw;
  const float area = static_cast<float>(s.kh * s.kw);
  for (int64_t i = global_thread(); i < s.n * s.h * s.w * packs; i += global_threads()) {
    const int64_t pixel = i / packs, channel = i % packs * kWidth;
    const int64_t row = pixel / s.w, column = pixel % s.w;  // row = n * h + y, h a multiple of kh
    const int64_t source = row / s.kh * wo + column / s.kw;
    Pack<T, kWidth> v = load_pack<kWidth>(dy + source * s.c + channel);
    for (int e = 0; e < kWidth; ++e) v.v[e] = from_float<T>(to_float(v.v[e]) / area);
    store_pack<kWidth>(dx + pixel * s.c + channel, v);
  }
}

}  // namespace

void avg_pool_forward(const AvgPoolForwardArgs& args, KernelStream stream) {
  constexpr int64_t kMaxPixels = 1 << 30;  // of a window, counted in 32 bits
  EBB_CHECK(args.kh <= kMaxPixels / args.kw, ShapeError, "cuda kernels: avg_pool of windows of ",
            args.kh, " x ", args.kw, " pixels, at most ", kMaxPixels,
            " in all. Run again with --device cpu");
  for_dtype("avg_pool", args.dtype, [&](auto type) {
    using T = decltype(type);
    constexpr int64_t kFewPixels = 16;
    const bool is_small = args.kh * args.kw < kFewPixels;
    is_small ? forward<T, 1>(args, stream) : forward<T, 16>(args, stream);
  });
}

void avg_pool_backward(const AvgPoolBackwardArgs& args, KernelStream stream) {
  for_dtype("avg_pool", args.dtype, [&](auto type) {
    using T = decltype(type);
    constexpr int kWidth = kPackWidth<T>;
    const bool vectorized = packs_fit(args.dy, args.dx) && args.c % kWidth == 0;
    const int64_t inputs = args.n * args.h * args.w * args.c;
    simt::launch({.name = "avg_pool_backward",
                  .grid = dim3(blocks_for(vectorized ? inputs / kWidth : inputs)),
                  .block = dim3(kThreads),
                  .stream = stream},
                 vectorized ? avg_pool_backward_kernel<T, kWidth> : avg_pool_backward_kernel<T, 1>,
                 PoolSize{args.n, args.h, args.w, args.c, args.kh, args.kw},
                 static_cast<const T*>(args.dy), static_cast<T*>(args.dx));
  });
}

}  // namespace ebb::EBB_GPU_NAMESPACE
