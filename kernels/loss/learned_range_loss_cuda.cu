#include "kernels/cuda/sum.h"
#include "kernels/loss/learned_range_terms.h"

namespace ebb::EBB_GPU_NAMESPACE {
namespace {

struct HybridTerm {
  LearnedRangeLossArgs args;
  SIMT_DEVICE double operator()(int64_t i) const { return learned_range_loss_at(args, i); }
};

__global__ void __launch_bounds__(kThreads)
    learned_range_loss_backward_kernel(LearnedRangeLossBackwardArgs args) {
  const int64_t count = args.n * args.pixels * args.c;
  const double scale = *args.dloss / static_cast<double>(count);
  for (int64_t i = global_thread(); i < count; i += global_threads()) {
    learned_range_gradient_at(args, scale, i);
  }
}

}  // namespace

int64_t learned_range_loss_workspace_bytes(int64_t count) { return sum_workspace_bytes(count); }

void learned_range_loss_forward(const LearnedRangeLossArgs& args, KernelStream stream) {
  const int64_t count = args.n * args.pixels * args.c;
  sum_terms("learned_range_loss_forward", stream, count, HybridTerm{args},
            1.0 / static_cast<double>(count), args.workspace, args.loss);
}

void learned_range_loss_backward(const LearnedRangeLossBackwardArgs& args, KernelStream stream) {
  simt::launch({.name = "learned_range_loss_backward",
                .grid = dim3(blocks_for(args.n * args.pixels * args.c)),
                .block = dim3(kThreads),
                .stream = stream},
               learned_range_loss_backward_kernel, args);
}

}  // namespace ebb::EBB_GPU_NAMESPACE
