#include "kernels/activation.h"

#include <cmath>

#include "kernels/cpu/f32.h"
#include "kernels/cpu/parallel.h"

namespace ebb::cpu {

namespace {

double apply(Activation a, double x) {
  if (a == Activation::kGelu) return 0.5 * x * std::erfc(-x * M_SQRT1_2);
  if (a == Activation::kSilu) return x / (1 + std::exp(-x));
  return x;
}

double slope(Activation a, double x) {
  if (a == Activation::kGelu)
    return 0.5 * std::erfc(-x * M_SQRT1_2) + x * std::exp(-0.5 * x * x) * 0.3989422804014327;
  if (a == Activation::kSilu) {
    const double s = 1 / (1 + std::exp(-x));
    return s * (1 + x * (1 - s));
  }
  return 1;
}

}  // namespace

void activation_forward(const ActivationArgs& args, StreamHandle stream) {
  require_f32("activation", args.dtype);
  const float* x = as_f32(args.x);
  float* y = as_f32(args.y);
  parallel_chunks(stream.threads, args.count, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) y[i] = static_cast<float>(apply(args.activation, x[i]));
  });
}

void activation_backward(const ActivationBackwardArgs& args, StreamHandle stream) {
  require_f32("activation", args.dtype);
  const float* x = as_f32(args.x);
  const float* dy = as_f32(args.dy);
  float* dx = as_f32(args.dx);
  parallel_chunks(stream.threads, args.count, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      dx[i] = static_cast<float>(dy[i] * slope(args.activation, x[i]));
    }
  });
}

}  // namespace ebb::cpu
