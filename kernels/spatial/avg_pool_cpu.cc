#include "kernels/spatial/avg_pool.h"

#include <algorithm>

#include "base/kernel_stream.h"
#include "kernels/cpu/f32.h"
#include "kernels/cpu/parallel.h"

namespace ebb::cpu {

// Both directions work on one row of output pixels per task, channels innermost.

void avg_pool_forward(const AvgPoolForwardArgs& args, KernelStream stream) {
  require_f32("avg_pool", args.dtype);
  const int64_t k = args.k, c = args.c, ho = args.h / k, wo = args.w / k;
  const float area = static_cast<float>(k * k);
  parallel_for(stream.threads, args.n * ho, [&](int64_t row) {
    const float* x = as_f32(args.x) + row * k * args.w * c;  // [k, W, C]
    float* y = as_f32(args.y) + row * wo * c;                // [W/k, C]
    for (int64_t j = 0; j < wo; ++j, y += c) {
      std::fill(y, y + c, 0.0f);
      for (int64_t di = 0; di < k; ++di) {
        for (int64_t dj = 0; dj < k; ++dj) {
          const float* pixel = x + (di * args.w + j * k + dj) * c;
          for (int64_t ci = 0; ci < c; ++ci) y[ci] += pixel[ci];
        }
      }
      for (int64_t ci = 0; ci < c; ++ci) y[ci] /= area;
    }
  });
}

void avg_pool_backward(const AvgPoolBackwardArgs& args, KernelStream stream) {
  require_f32("avg_pool", args.dtype);
  const int64_t k = args.k, c = args.c, wo = args.w / k;
  const float area = static_cast<float>(k * k);
  parallel_for(stream.threads, args.n * args.h, [&](int64_t row) {
    const float* dy = as_f32(args.dy) + row / k * wo * c;  // [W/k, C]; H is a multiple of k
    float* dx = as_f32(args.dx) + row * args.w * c;        // [W, C]
    for (int64_t j = 0; j < args.w; ++j, dx += c) {
      const float* pixel = dy + j / k * c;
      for (int64_t ci = 0; ci < c; ++ci) dx[ci] = pixel[ci] / area;
    }
  });
}

}  // namespace ebb::cpu
