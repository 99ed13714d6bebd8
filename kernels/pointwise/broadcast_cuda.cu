#include "kernels/cuda/column_sums.h"
#include "kernels/cuda/elements.h"
#include "kernels/cuda/grid.h"
#include "kernels/cuda/map.h"
#include "kernels/pointwise/broadcast.h"

namespace ebb::EBB_GPU_NAMESPACE {
namespace {

template <BroadcastOp kOp>
SIMT_DEVICE float combine(float x, float s) {
  return kOp == BroadcastOp::kAdd ? x + s : x * s;
}

// Blocks along y take images in turn; the threads of a block run over (pixel, pack of channels).
// y may be x.
template <class T, BroadcastOp kOp, int kWidth>
__global__ void __launch_bounds__(kThreads) broadcast_forward_kernel(BroadcastForwardArgs args) {
  const int64_t elements = args.pixels * args.c;
  for (int64_t n = blockIdx.y; n < args.n; n += gridDim.y) {
    const T* x = static_cast<const T*>(args.x) + n % args.x_n * elements;
    const T* s = static_cast<const T*>(args.s) + n % args.s_n * args.c;
    T* y = static_cast<T*>(args.y) + n * elements;
    for (int64_t i = global_thread() * kWidth; i < elements; i += global_threads() * kWidth) {
      const int64_t channel = i % args.c;
      Pack<T, kWidth> v = load_pack<kWidth>(x + i);
      const Pack<T, kWidth> f = load_pack<kWidth>(s + channel);
      for (int e = 0; e < kWidth; ++e) {
        v.v[e] = from_float<T>(combine<kOp>(to_float(v.v[e]), to_float(f.v[e])));
      }
      store_pack<kWidth>(y + i, v);
    }
  }
}

constexpr int kSumChannels = 32, kSumWidth = 4;

// ds[n, c] = sum over pixels of dy (* x), in double. A block takes kSumChannels channels of an
// image: [lanes][packs of kWidth channels] threads; the lanes of a channel take pixels in turn.
template <class T, BroadcastOp kOp, int kWidth>
__global__ void __launch_bounds__(kThreads, 3)
    broadcast_backward_kernel(BroadcastBackwardArgs args) {
  constexpr int kColumns = kSumChannels / kWidth, kLanes = kThreads / kColumns, kUnroll = 4;
  SIMT_SHARED(double, partial, [kThreads / 32][kWidth][kColumns]);
  const int64_t tiles = ceil_div(args.c, kSumChannels), n = blockIdx.x / tiles;
  const int64_t channel = blockIdx.x % tiles * kSumChannels + threadIdx.x * kWidth;
  const bool exists = channel < args.c;
  const T* x = static_cast<const T*>(args.x) + n * args.pixels * args.c + channel;
  const T* dy = static_cast<const T*>(args.dy) + n * args.pixels * args.c + channel;
  double sum[kWidth] = {};
#pragma unroll 1
  for (int64_t p = threadIdx.y; exists && p < args.pixels; p += kUnroll * kLanes) {
    Pack<T, kWidth> vx[kUnroll], vdy[kUnroll];
#pragma unroll
    for (int k = 0; k < kUnroll; ++k) {  // without a condition, to be in flight together
      const int64_t next = p + k * kLanes, at = (next < args.pixels ? next : p) * args.c;
      vdy[k] = load_pack<kWidth>(dy + at);
      if constexpr (kOp == BroadcastOp::kMultiply) vx[k] = load_pack<kWidth>(x + at);
    }
#pragma unroll
    for (int k = 0; k < kUnroll; ++k) {
      const bool inside = p + k * kLanes < args.pixels;
      for (int e = 0; e < kWidth; ++e) {
        double term = to_float(vdy[k].v[e]);
        if constexpr (kOp == BroadcastOp::kMultiply) term *= to_float(vx[k].v[e]);
        sum[e] += inside ? term : 0.0;
      }
    }
  }
  reduce_columns(sum, partial);
  const int e = static_cast<int>(threadIdx.y);
  if (e < kWidth && exists) {
    static_cast<T*>(args.ds)[n * args.c + channel + e] =
        from_float<T>(static_cast<float>(column_sum(partial, e)));
  }
}

template <class T, BroadcastOp kOp>
void forward(const BroadcastForwardArgs& args, KernelStream stream) {
  constexpr int kWidth = kPackWidth<T>;
  const bool vectorized = packs_fit(args.x, args.s, args.y) && args.c % kWidth == 0;
  const int64_t elements = args.pixels * args.c;
  simt::launch(
      {.name = "broadcast_forward",
       .grid = dim3(blocks_for(vectorized ? elements / kWidth : elements), rows_for(args.n)),
       .block = dim3(kThreads),
       .stream = stream},
      vectorized ? broadcast_forward_kernel<T, kOp, kWidth> : broadcast_forward_kernel<T, kOp, 1>,
      args);
}

struct Copy {
  static constexpr int kInputs = 1;
  SIMT_DEVICE float operator()(float x) const { return x; }
};

// gradient[n, p, c] = dy (* factor[n, c]): of x, and of s where that is an image of one pixel.
template <class T, BroadcastOp kOp>
void backward_elements(const BroadcastBackwardArgs& args, const void* factor, void* gradient,
                       KernelStream stream) {
  if constexpr (kOp == BroadcastOp::kMultiply) {
    forward<T, kOp>(
        {kOp, args.n, args.pixels, args.c, args.n, args.n, args.dtype, args.dy, factor, gradient},
        stream);
  } else if (gradient != args.dy) {
    map<T>("broadcast_backward", stream, args.n * args.pixels * args.c, Copy{},
           static_cast<const T*>(args.dy), nullptr, static_cast<T*>(gradient));
  }
}

template <class T, BroadcastOp kOp>
void backward_s(const BroadcastBackwardArgs& args, KernelStream stream) {
  if (args.pixels == 1) return backward_elements<T, kOp>(args, args.x, args.ds, stream);
  const bool fits = packs_fit(static_cast<const T*>(args.x), static_cast<const T*>(args.dy));
  const bool vectorized = fits && args.c % kSumWidth == 0;
  const unsigned columns = static_cast<unsigned>(kSumChannels / (vectorized ? kSumWidth : 1));
  simt::launch({.name = "broadcast_backward",
                .grid = dim3(static_cast<unsigned>(ceil_div(args.c, kSumChannels) * args.n)),
                .block = dim3(columns, kThreads / columns),
                .stream = stream},
               vectorized ? broadcast_backward_kernel<T, kOp, kSumWidth>
                          : broadcast_backward_kernel<T, kOp, 1>,
               args);
}

template <class T, BroadcastOp kOp>
void backward(const BroadcastBackwardArgs& args, KernelStream stream) {
  if (args.ds != nullptr) backward_s<T, kOp>(args, stream);  // before dx, which may overwrite dy
  if (args.dx != nullptr) backward_elements<T, kOp>(args, args.s, args.dx, stream);
}

}  // namespace

void broadcast_forward(const BroadcastForwardArgs& args, KernelStream stream) {
  for_dtype("broadcast", args.dtype, [&](auto type) {
    using T = decltype(type);
    args.op == BroadcastOp::kAdd ? forward<T, BroadcastOp::kAdd>(args, stream)
                                 : forward<T, BroadcastOp::kMultiply>(args, stream);
  });
}

void broadcast_backward(const BroadcastBackwardArgs& args, KernelStream stream) {
  for_dtype("broadcast", args.dtype, [&](auto type) {
    using T = decltype(type);
    args.op == BroadcastOp::kAdd ? backward<T, BroadcastOp::kAdd>(args, stream)
                                 : backward<T, BroadcastOp::kMultiply>(args, stream);
  });
}

}  // namespace ebb::EBB_GPU_NAMESPACE
