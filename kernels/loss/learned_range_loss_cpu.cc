#include "base/kernel_stream.h"
#include "kernels/cpu/sum_chunks.h"
#include "kernels/loss/learned_range_terms.h"

namespace ebb::cpu {

int64_t learned_range_loss_workspace_bytes(int64_t count) { return sum_chunks_bytes(count); }

void learned_range_loss_forward(const LearnedRangeLossArgs& args, KernelStream stream) {
  const int64_t count = args.n * args.pixels * args.c;
  const double sum = sum_chunks(stream.threads, count, args.workspace,
                                [&](int64_t i) { return learned_range_loss_at(args, i); });
  *args.loss = static_cast<float>(sum / static_cast<double>(count));
}

void learned_range_loss_backward(const LearnedRangeLossBackwardArgs& args, KernelStream stream) {
  const int64_t count = args.n * args.pixels * args.c;
  const double scale = *args.dloss / static_cast<double>(count);
  parallel_chunks(stream.threads, count, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) learned_range_gradient_at(args, scale, i);
  });
}

}  // namespace ebb::cpu
