#include "kernels/sampling/blend.h"

#include "base/kernel_stream.h"
#include "kernels/cpu/parallel.h"

namespace ebb::cpu {

void blend(const BlendArgs& args, KernelStream stream) {
  parallel_chunks(stream.threads, args.count, [&](int64_t begin, int64_t end) {
    for (int64_t e = begin; e < end; ++e) {
      args.y[e] = args.mask[e] * args.x[e] + (1.0f - args.mask[e]) * args.known[e];
    }
  });
}

}  // namespace ebb::cpu
