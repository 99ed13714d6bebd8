#include "kernels/cuda/grid.h"
#include "kernels/norm/fold_batch_norm.h"

namespace ebb::EBB_GPU_NAMESPACE {
namespace {

// One block per output channel. In double: it runs once per model.
__global__ void __launch_bounds__(kThreads) fold_batch_norm_kernel(FoldBatchNormArgs a) {
  for (int64_t o = blockIdx.x; o < a.o; o += gridDim.x) {
    const double scale = a.gamma[o] / sqrt(static_cast<double>(a.var[o]) + a.eps);
    for (int64_t k = threadIdx.x; k < a.k; k += kThreads) {
      a.folded_w[o * a.k + k] = static_cast<float>(scale * a.w[o * a.k + k]);
    }
    if (threadIdx.x == 0) {
      a.folded_b[o] =
          static_cast<float>(scale * (static_cast<double>(a.b[o]) - a.mean[o]) + a.beta[o]);
    }
  }
}

}  // namespace

void fold_batch_norm(const FoldBatchNormArgs& args, KernelStream stream) {
  simt::launch({.name = "fold_batch_norm",
                .grid = dim3(blocks_for(args.o, 1)),
                .block = dim3(kThreads),
                .stream = stream},
               fold_batch_norm_kernel, args);
}

}  // namespace ebb::EBB_GPU_NAMESPACE
