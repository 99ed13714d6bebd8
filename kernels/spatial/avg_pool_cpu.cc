#include "kernels/spatial/avg_pool.h"

#include <algorithm>

#include "base/kernel_stream.h"
#include "kernels/cpu/f32.h"
#include "kernels/cpu/parallel.h"

namespace ebb::cpu {

// Both directions work on one row of output pixels per task, channels innermost.

void avg_pool_forward(const AvgPoolForwardArgs& args, KernelStream stream) {
  require_f32("avg_pool", args.dtype);
  const int64_t kh = args.kh, kw = args.kw, c = args.c, ho = args.h / kh, wo = args.w / kw;
  const float area = static_cast<float>(kh * kw);
  parallel_for(stream.threads, args.n * ho, [&](int64_t row) {
    const float* x = as_f32(args.x) + row * kh * args.w * c;  // [kh, W, C]
    float* y = as_f32(args.y) + row * wo * c;                 // [W/kw, C]
    for (int64_t j = 0; j < wo; ++j, y += c) {
      std::fill(y, y + c, 0.0f);
      for (int64_t di = 0; di < kh; ++di) {
        for (int64_t dj = 0; dj < kw; ++dj) {
          const float* pixel = x + (di * args.w + j * kw + dj) * c;
          for (int64_t ci = 0; ci < c; ++ci) y[ci] += pixel[ci];
        }
      }
      for (int64_t ci = 0; ci < c; ++ci) y[ci] /= area;
    }
  });
}

void avg_pool_backward(const AvgPoolBackwardArgs& args, KernelStream stream) {
  require_f32("avg_pool", args.dtype);
  const int64_t kh = args.kh, kw = args.kw, c = args.c, wo = args.w / kw;
  const float area = static_cast<float>(kh * kw);
  parallel_for(stream.threads, args.n * args.h, [&](int64_t row) {
    const float* dy = as_f32(args.dy) + row / kh * wo * c;  // [W/kw, C]; H is a multiple of kh
    float* dx = as_f32(args.dx) + row * args.w * c;         // [W, C]
    for (int64_t j = 0; j < args.w; ++j, dx += c) {
      const float* pixel = dy + j / kw * c;
      for (int64_t ci = 0; ci < c; ++ci) dx[ci] = pixel[ci] / area;
    }
  });
}

}  // namespace ebb::cpu
