#include "kernels/avg_pool.h"
#include "kernels/cuda/elements.h"
#include "kernels/cuda/grid.h"

namespace ebb::EBB_GPU_NAMESPACE {
namespace {

// Sizes of one pooling; packs are groups of kWidth channels.
struct PoolSize {
  int64_t n, h, w, c, k;
};

// One thread per pack of an output pixel.
template <class T, int kWidth>
__global__ void __launch_bounds__(kThreads) avg_pool_forward_kernel(PoolSize s, const T* x, T* y) {
  const int64_t packs = s.c / kWidth, ho = s.h / s.k, wo = s.w / s.k;
  const float area = static_cast<float>(s.k * s.k);
  for (int64_t i = global_thread(); i < s.n * ho * wo * packs; i += global_threads()) {
    const int64_t pixel = i / packs, channel = i % packs * kWidth;
    const int64_t row = pixel / wo, column = pixel % wo;  // row = n * ho + oy
    float sum[kWidth] = {};
    for (int64_t dy = 0; dy < s.k; ++dy) {
      for (int64_t dx = 0; dx < s.k; ++dx) {
        const int64_t source = (row * s.k + dy) * s.w + column * s.k + dx;
        const Pack<T, kWidth> v = load_pack<kWidth>(x + source * s.c + channel);
        for (int e = 0; e < kWidth; ++e) sum[e] += to_float(v.v[e]);
      }
    }
    Pack<T, kWidth> mean;
    for (int e = 0; e < kWidth; ++e) mean.v[e] = from_float<T>(sum[e] / area);
    store_pack<kWidth>(y + pixel * s.c + channel, mean);
  }
}

// One thread per pack of an input pixel.
template <class T, int kWidth>
__global__ void __launch_bounds__(kThreads)
    avg_pool_backward_kernel(PoolSize s, const T* dy, T* dx) {
  const int64_t packs = s.c / kWidth, wo = s.w / s.k;
  const float area = static_cast<float>(s.k * s.k);
  for (int64_t i = global_thread(); i < s.n * s.h * s.w * packs; i += global_threads()) {
    const int64_t pixel = i / packs, channel = i % packs * kWidth;
    const int64_t row = pixel / s.w, column = pixel % s.w;  // row = n * h + y, h a multiple of k
    const int64_t source = row / s.k * wo + column / s.k;
    Pack<T, kWidth> v = load_pack<kWidth>(dy + source * s.c + channel);
    for (int e = 0; e < kWidth; ++e) v.v[e] = from_float<T>(to_float(v.v[e]) / area);
    store_pack<kWidth>(dx + pixel * s.c + channel, v);
  }
}

}  // namespace

void avg_pool_forward(const AvgPoolForwardArgs& args, StreamHandle stream) {
  for_dtype("avg_pool", args.dtype, [&](auto type) {
    using T = decltype(type);
    constexpr int kWidth = kPackWidth<T>;
    const bool wide = packs_fit(args.x, args.y) && args.c % kWidth == 0;
    const int64_t outputs = args.n * (args.h / args.k) * (args.w / args.k) * args.c;
    simt::launch({.name = "avg_pool_forward",
                  .grid = dim3(blocks_for(wide ? outputs / kWidth : outputs)),
                  .block = dim3(kThreads),
                  .stream = stream},
                 wide ? avg_pool_forward_kernel<T, kWidth> : avg_pool_forward_kernel<T, 1>,
                 PoolSize{args.n, args.h, args.w, args.c, args.k}, static_cast<const T*>(args.x),
                 static_cast<T*>(args.y));
  });
}

void avg_pool_backward(const AvgPoolBackwardArgs& args, StreamHandle stream) {
  for_dtype("avg_pool", args.dtype, [&](auto type) {
    using T = decltype(type);
    constexpr int kWidth = kPackWidth<T>;
    const bool wide = packs_fit(args.dy, args.dx) && args.c % kWidth == 0;
    const int64_t inputs = args.n * args.h * args.w * args.c;
    simt::launch({.name = "avg_pool_backward",
                  .grid = dim3(blocks_for(wide ? inputs / kWidth : inputs)),
                  .block = dim3(kThreads),
                  .stream = stream},
                 wide ? avg_pool_backward_kernel<T, kWidth> : avg_pool_backward_kernel<T, 1>,
                 PoolSize{args.n, args.h, args.w, args.c, args.k}, static_cast<const T*>(args.dy),
                 static_cast<T*>(args.dx));
  });
}

}  // namespace ebb::EBB_GPU_NAMESPACE
