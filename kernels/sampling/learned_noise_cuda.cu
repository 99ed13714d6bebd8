#include "kernels/cuda/grid.h"
#include "kernels/sampling/learned_noise.h"

namespace ebb::EBB_GPU_NAMESPACE {
namespace {

// y may be any of the operands.
__global__ void __launch_bounds__(kThreads) learned_noise_kernel(LearnedNoiseArgs args) {
  const float base = args.log_deviation[0], grad = args.log_deviation[1];
  for (int64_t e = global_thread(); e < args.count; e += global_threads()) {
    const float deviation = expf(base + grad * args.code[e]);
    args.y[e] = args.x[e] + deviation * args.z[e];
  }
}

}  // namespace

void learned_noise(const LearnedNoiseArgs& args, KernelStream stream) {
  simt::launch({.name = "learned_noise",
                .grid = dim3(blocks_for(args.count)),
                .block = dim3(kThreads),
                .stream = stream},
               learned_noise_kernel, args);
}

}  // namespace ebb::EBB_GPU_NAMESPACE
