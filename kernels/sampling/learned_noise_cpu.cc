#include "kernels/sampling/learned_noise.h"

#include <cmath>

#include "base/kernel_stream.h"
#include "kernels/cpu/parallel.h"

namespace ebb::cpu {

void learned_noise(const LearnedNoiseArgs& args, KernelStream stream) {
  const float base = args.log_deviation[0], grad = args.log_deviation[1];
  parallel_chunks(stream.threads, args.count, [&](int64_t begin, int64_t end) {
    for (int64_t e = begin; e < end; ++e) {
      args.y[e] = args.x[e] + std::exp(base + grad * args.code[e]) * args.z[e];
    }
  });
}

}  // namespace ebb::cpu
