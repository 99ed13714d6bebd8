#include "kernels/cuda/grid.h"
#include "kernels/sampling/blend.h"

namespace ebb::EBB_GPU_NAMESPACE {
namespace {

// Rounds after each product and each sum, as the CPU does. y may be x or known.
__global__ void __launch_bounds__(kThreads) blend_kernel(BlendArgs args) {
  for (int64_t e = global_thread(); e < args.count; e += global_threads()) {
    const float mask = args.mask[e];
    args.y[e] =
        __fadd_rn(__fmul_rn(mask, args.x[e]), __fmul_rn(__fsub_rn(1.0f, mask), args.known[e]));
  }
}

}  // namespace

void blend(const BlendArgs& args, KernelStream stream) {
  simt::launch({.name = "blend",
                .grid = dim3(blocks_for(args.count)),
                .block = dim3(kThreads),
                .stream = stream},
               blend_kernel, args);
}

}  // namespace ebb::EBB_GPU_NAMESPACE
