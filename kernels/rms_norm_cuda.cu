#include "kernels/cuda/elements.h"
#include "kernels/cuda/grid.h"
#include "kernels/cuda/reduce.h"
#include "kernels/rms_norm.h"

namespace ebb::EBB_GPU_NAMESPACE {
namespace {

// One block per row. y may be x.
template <class T>
__global__ void __launch_bounds__(kThreads) rms_norm_forward_kernel(RmsNormForwardArgs args) {
  for (int64_t row = blockIdx.x; row < args.rows; row += gridDim.x) {
    const T* x = static_cast<const T*>(args.x) + row * args.c;
    T* y = static_cast<T*>(args.y) + row * args.c;
    double squares = 0;
    for (int64_t c = threadIdx.x; c < args.c; c += kThreads) {
      const double value = to_float(x[c]);
      squares += value * value;
    }
    const double mean = block_sum<kThreads>(squares) / static_cast<double>(args.c);
    const float rstd = static_cast<float>(1 / sqrt(mean + args.eps));
    for (int64_t c = threadIdx.x; c < args.c; c += kThreads) {
      y[c] = from_float<T>(to_float(x[c]) * rstd * args.gamma[c]);
    }
  }
}

}  // namespace

void rms_norm_forward(const RmsNormForwardArgs& args, StreamHandle stream) {
  for_dtype("rms_norm", args.dtype, [&](auto type) {
    simt::launch({.name = "rms_norm_forward",
                  .grid = dim3(blocks_for(args.rows, 1)),
                  .block = dim3(kThreads),
                  .stream = stream},
                 rms_norm_forward_kernel<decltype(type)>, args);
  });
}

}  // namespace ebb::EBB_GPU_NAMESPACE
