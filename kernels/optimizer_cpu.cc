#include "kernels/optimizer.h"

#include <cmath>

#include "kernels/cpu/parallel.h"
#include "kernels/cpu/sum_chunks.h"

namespace ebb::cpu {

void adam(const AdamArgs& args, StreamHandle stream) {
  const double t = static_cast<double>(args.step);
  const float step_size = static_cast<float>(args.lr / (1 - std::pow(args.beta1, t)));
  const float root = static_cast<float>(std::sqrt(1 - std::pow(args.beta2, t)));
  const float b1 = static_cast<float>(1 - args.beta1), b2 = static_cast<float>(args.beta2);
  const float b2c = static_cast<float>(1 - args.beta2), eps = static_cast<float>(args.eps);
  parallel_chunks(stream.threads, args.count, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const float g = args.grad[i] * args.grad_scale;
      args.m[i] += b1 * (g - args.m[i]);
      args.v[i] = args.v[i] * b2 + b2c * g * g;
      args.param[i] -= step_size * args.m[i] / (std::sqrt(args.v[i]) / root + eps);
    }
  });
}

void ema(const EmaArgs& args, StreamHandle stream) {
  const float keep = static_cast<float>(args.decay);
  const float take = static_cast<float>(1 - args.decay);
  parallel_chunks(stream.threads, args.count, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) args.ema[i] = keep * args.ema[i] + take * args.param[i];
  });
}

int64_t sum_squares_workspace_bytes(int64_t count) { return sum_chunks_bytes(count); }

void sum_squares(const SumSquaresArgs& args, StreamHandle stream) {
  const auto square = [&](int64_t i) { return static_cast<double>(args.x[i]) * args.x[i]; };
  *args.result = sum_chunks(stream.threads, args.count, args.workspace, square);
}

}  // namespace ebb::cpu
