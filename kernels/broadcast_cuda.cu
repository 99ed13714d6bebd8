#include "kernels/broadcast.h"
#include "kernels/cuda/elements.h"
#include "kernels/cuda/grid.h"
#include "kernels/cuda/map.h"

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

constexpr int kSumChannels = 32, kSumRows = 8;

// ds[n, c] = sum over pixels of dy (* x), in double. A block takes 32 channels of an image: 8 sums
// per channel, then added in order.
template <class T, BroadcastOp kOp>
__global__ void __launch_bounds__(kSumChannels* kSumRows)
    broadcast_backward_kernel(BroadcastBackwardArgs args) {
  SIMT_SHARED(double, partial, [kSumRows][kSumChannels]);
  const int64_t channel = static_cast<int64_t>(blockIdx.x) * kSumChannels + threadIdx.x;
  for (int64_t n = blockIdx.y; n < args.n; n += gridDim.y) {
    const T* x = static_cast<const T*>(args.x) + n * args.pixels * args.c;
    const T* dy = static_cast<const T*>(args.dy) + n * args.pixels * args.c;
    double sum = 0;
    if (channel < args.c) {
      for (int64_t p = threadIdx.y; p < args.pixels; p += kSumRows) {
        const double gradient = to_float(dy[p * args.c + channel]);
        sum += kOp == BroadcastOp::kAdd ? gradient : gradient * to_float(x[p * args.c + channel]);
      }
    }
    __syncthreads();  // the sums of the previous image may still be read
    partial[threadIdx.y][threadIdx.x] = sum;
    __syncthreads();
    if (threadIdx.y == 0 && channel < args.c) {
      for (int row = 1; row < kSumRows; ++row) sum += partial[row][threadIdx.x];
      static_cast<T*>(args.ds)[n * args.c + channel] = from_float<T>(static_cast<float>(sum));
    }
  }
}

template <class T, BroadcastOp kOp>
void forward(const BroadcastForwardArgs& args, StreamHandle stream) {
  constexpr int kWidth = kPackWidth<T>;
  const bool wide = packs_fit(args.x, args.s, args.y) && args.c % kWidth == 0;
  const int64_t elements = args.pixels * args.c;
  simt::launch(
      {.name = "broadcast_forward",
       .grid = dim3(blocks_for(wide ? elements / kWidth : elements), rows_for(args.n)),
       .block = dim3(kThreads),
       .stream = stream},
      wide ? broadcast_forward_kernel<T, kOp, kWidth> : broadcast_forward_kernel<T, kOp, 1>, args);
}

template <class T, BroadcastOp kOp>
void backward_s(const BroadcastBackwardArgs& args, StreamHandle stream) {
  simt::launch(
      {.name = "broadcast_backward",
       .grid = dim3(static_cast<unsigned>(ceil_div(args.c, kSumChannels)), rows_for(args.n)),
       .block = dim3(kSumChannels, kSumRows),
       .stream = stream},
      broadcast_backward_kernel<T, kOp>, args);
}

struct Copy {
  static constexpr int kInputs = 1;
  SIMT_DEVICE float operator()(float x) const { return x; }
};

template <class T>
void backward_x(const BroadcastBackwardArgs& args, StreamHandle stream) {
  if (args.op == BroadcastOp::kMultiply) {
    forward<T, BroadcastOp::kMultiply>({args.op, args.n, args.pixels, args.c, args.n, args.n,
                                        args.dtype, args.dy, args.s, args.dx},
                                       stream);
  } else if (args.dx != args.dy) {
    map<T>("broadcast_backward", stream, args.n * args.pixels * args.c, Copy{},
           static_cast<const T*>(args.dy), nullptr, static_cast<T*>(args.dx));
  }
}

}  // namespace

void broadcast_forward(const BroadcastForwardArgs& args, StreamHandle stream) {
  for_dtype("broadcast", args.dtype, [&](auto type) {
    using T = decltype(type);
    args.op == BroadcastOp::kAdd ? forward<T, BroadcastOp::kAdd>(args, stream)
                                 : forward<T, BroadcastOp::kMultiply>(args, stream);
  });
}

void broadcast_backward(const BroadcastBackwardArgs& args, StreamHandle stream) {
  for_dtype("broadcast", args.dtype, [&](auto type) {
    using T = decltype(type);
    if (args.ds != nullptr) {  // before dx, which may overwrite dy
      args.op == BroadcastOp::kAdd ? backward_s<T, BroadcastOp::kAdd>(args, stream)
                                   : backward_s<T, BroadcastOp::kMultiply>(args, stream);
    }
    if (args.dx != nullptr) backward_x<T>(args, stream);
  });
}

}  // namespace ebb::EBB_GPU_NAMESPACE
