#include "kernels/attention/softmax.h"

#include <algorithm>
#include <cmath>

#include "base/kernel_stream.h"
#include "kernels/cpu/f32.h"
#include "kernels/cpu/parallel.h"

namespace ebb::cpu {

void softmax_forward(const SoftmaxForwardArgs& args, KernelStream stream) {
  require_f32("softmax", args.dtype);
  parallel_for(stream.threads, args.rows, [&](int64_t row) {
    const float* x = as_f32(args.x) + row * args.c;
    float* y = as_f32(args.y) + row * args.c;
    const float most = *std::max_element(x, x + args.c);
    double sum = 0;
    for (int64_t c = 0; c < args.c; ++c) sum += y[c] = std::exp(x[c] - most);
    for (int64_t c = 0; c < args.c; ++c) y[c] = static_cast<float>(y[c] / sum);
  });
}

void softmax_backward(const SoftmaxBackwardArgs& args, KernelStream stream) {
  require_f32("softmax", args.dtype);
  parallel_for(stream.threads, args.rows, [&](int64_t row) {
    const float* y = as_f32(args.y) + row * args.c;
    const float* dy = as_f32(args.dy) + row * args.c;
    float* dx = as_f32(args.dx) + row * args.c;
    double mean = 0;
    for (int64_t c = 0; c < args.c; ++c) mean += static_cast<double>(y[c]) * dy[c];
    for (int64_t c = 0; c < args.c; ++c) dx[c] = y[c] * (dy[c] - static_cast<float>(mean));
  });
}

}  // namespace ebb::cpu
