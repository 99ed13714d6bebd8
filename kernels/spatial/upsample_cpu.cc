#include "kernels/spatial/upsample.h"

#include <algorithm>

#include "base/kernel_stream.h"
#include "kernels/cpu/f32.h"
#include "kernels/cpu/parallel.h"

namespace ebb::cpu {

// Both directions work on one row of results per task, channels innermost.

void upsample_forward(const UpsampleForwardArgs& args, KernelStream stream) {
  require_f32("upsample", args.dtype);
  const UpsampleSize& s = args.size;
  parallel_for(stream.threads, s.n * s.ho, [&](int64_t task) {
    const AxisSample row = axis_sample(args.interpolation, s.h, s.ho, task % s.ho);
    const float* image = as_f32(args.x) + task / s.ho * s.h * s.w * s.c;
    float* y = as_f32(args.y) + task * s.wo * s.c;
    for (int64_t j = 0; j < s.wo; ++j, y += s.c) {
      const AxisSample column = axis_sample(args.interpolation, s.w, s.wo, j);
      const float* a = image + (row.first * s.w + column.first) * s.c;
      const float* b = image + (row.first * s.w + column.second) * s.c;
      const float* c = image + (row.second * s.w + column.first) * s.c;
      const float* d = image + (row.second * s.w + column.second) * s.c;
      for (int64_t k = 0; k < s.c; ++k) {
        const float above = a[k] + column.weight * (b[k] - a[k]);
        const float below = c[k] + column.weight * (d[k] - c[k]);
        y[k] = above + row.weight * (below - above);
      }
    }
  });
}

void upsample_backward(const UpsampleBackwardArgs& args, KernelStream stream) {
  require_f32("upsample", args.dtype);
  const UpsampleSize& s = args.size;
  parallel_for(stream.threads, s.n * s.h, [&](int64_t task) {
    const int64_t i = task % s.h;
    const float* image = as_f32(args.dy) + task / s.h * s.ho * s.wo * s.c;
    float* dx = as_f32(args.dx) + task * s.w * s.c;
    std::fill(dx, dx + s.w * s.c, 0.0f);
    const AxisRange rows = outputs_of(s.h, s.ho, i);
    for (int64_t j = 0; j < s.w; ++j, dx += s.c) {
      const AxisRange columns = outputs_of(s.w, s.wo, j);
      for (int64_t oi = rows.begin; oi < rows.end; ++oi) {
        const float down = axis_sample(args.interpolation, s.h, s.ho, oi).weight_of(i);
        for (int64_t oj = columns.begin; down != 0 && oj < columns.end; ++oj) {
          const float weight = down * axis_sample(args.interpolation, s.w, s.wo, oj).weight_of(j);
          const float* dy = image + (oi * s.wo + oj) * s.c;
          if (weight == 0) continue;
          for (int64_t k = 0; k < s.c; ++k) dx[k] += weight * dy[k];
        }
      }
    }
  });
}

}  // namespace ebb::cpu
