#include "kernels/cuda/grid.h"
#include "kernels/sampling/signed_gather.h"

namespace ebb::EBB_GPU_NAMESPACE {
namespace {

// Blocks along y take images in turn.
__global__ void __launch_bounds__(kThreads) signed_gather_kernel(SignedGatherArgs args) {
  for (int64_t n = blockIdx.y; n < args.n; n += gridDim.y) {
    const float* x = args.x + n * args.x_elements;
    float* y = args.y + n * args.elements;
    for (int64_t e = global_thread(); e < args.elements; e += global_threads()) {
      const int32_t k = args.index[e];
      y[e] = k >= 0 ? x[k] : -x[~k];
    }
  }
}

}  // namespace

void signed_gather(const SignedGatherArgs& args, KernelStream stream) {
  simt::launch({.name = "signed_gather",
                .grid = dim3(blocks_for(args.elements), rows_for(args.n)),
                .block = dim3(kThreads),
                .stream = stream},
               signed_gather_kernel, args);
}

}  // namespace ebb::EBB_GPU_NAMESPACE
