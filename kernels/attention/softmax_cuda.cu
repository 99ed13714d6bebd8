#include "kernels/attention/softmax.h"
#include "kernels/cuda/elements.h"
#include "kernels/cuda/grid.h"
#include "kernels/cuda/reduce.h"

namespace ebb::EBB_GPU_NAMESPACE {
namespace {

// One block per row. y may be x: a thread reads again only what it wrote itself.
template <class T>
__global__ void __launch_bounds__(kThreads) softmax_forward_kernel(SoftmaxForwardArgs args) {
  for (int64_t row = blockIdx.x; row < args.rows; row += gridDim.x) {
    const T* x = static_cast<const T*>(args.x) + row * args.c;
    T* y = static_cast<T*>(args.y) + row * args.c;
    float most = -INFINITY;
    for (int64_t c = threadIdx.x; c < args.c; c += kThreads) most = fmaxf(most, to_float(x[c]));
    most = block_max<kThreads>(most);
    double sum = 0;
    for (int64_t c = threadIdx.x; c < args.c; c += kThreads) sum += expf(to_float(x[c]) - most);
    const float factor = static_cast<float>(1 / block_sum<kThreads>(sum));
    for (int64_t c = threadIdx.x; c < args.c; c += kThreads) {
      y[c] = from_float<T>(expf(to_float(x[c]) - most) * factor);
    }
  }
}

template <class T>
__global__ void __launch_bounds__(kThreads) softmax_backward_kernel(SoftmaxBackwardArgs args) {
  for (int64_t row = blockIdx.x; row < args.rows; row += gridDim.x) {
    const T* y = static_cast<const T*>(args.y) + row * args.c;
    const T* dy = static_cast<const T*>(args.dy) + row * args.c;
    T* dx = static_cast<T*>(args.dx) + row * args.c;
    double sum = 0;
    for (int64_t c = threadIdx.x; c < args.c; c += kThreads) {
      sum += static_cast<double>(to_float(y[c])) * to_float(dy[c]);
    }
    const float mean = static_cast<float>(block_sum<kThreads>(sum));
    for (int64_t c = threadIdx.x; c < args.c; c += kThreads) {
      dx[c] = from_float<T>(to_float(y[c]) * (to_float(dy[c]) - mean));
    }
  }
}

simt::LaunchConfig rows(const char* name, int64_t count, KernelStream stream) {
  return {
      .name = name, .grid = dim3(blocks_for(count, 1)), .block = dim3(kThreads), .stream = stream};
}

}  // namespace

void softmax_forward(const SoftmaxForwardArgs& args, KernelStream stream) {
  for_dtype("softmax", args.dtype, [&](auto type) {
    simt::launch(rows("softmax_forward", args.rows, stream), softmax_forward_kernel<decltype(type)>,
                 args);
  });
}

void softmax_backward(const SoftmaxBackwardArgs& args, KernelStream stream) {
  for_dtype("softmax", args.dtype, [&](auto type) {
    simt::launch(rows("softmax_backward", args.rows, stream),
                 softmax_backward_kernel<decltype(type)>, args);
  });
}

}  // namespace ebb::EBB_GPU_NAMESPACE
