#include "kernels/norm/rms_norm.h"

#include <algorithm>
#include <cmath>

#include "base/kernel_stream.h"
#include "kernels/cpu/f32.h"
#include "kernels/cpu/parallel.h"
#include "kernels/norm/row_chunks.h"

namespace ebb::cpu {

void rms_norm_forward(const RmsNormForwardArgs& args, KernelStream stream) {
  require_f32("rms_norm", args.dtype);
  parallel_for(stream.threads, args.rows, [&](int64_t row) {
    const float* x = as_f32(args.x) + row * args.c;
    float* y = as_f32(args.y) + row * args.c;
    double squares = 0;
    for (int64_t c = 0; c < args.c; ++c) squares += static_cast<double>(x[c]) * x[c];
    const double mean = squares / static_cast<double>(args.c);
    const float rstd = static_cast<float>(1 / std::sqrt(mean + args.eps));
    for (int64_t c = 0; c < args.c; ++c) y[c] = x[c] * rstd * args.gamma[c];
    if (args.rstd != nullptr) args.rstd[row] = rstd;
  });
}

int64_t rms_norm_workspace_bytes(int64_t rows, int64_t c) {
  return RowChunks(rows).count * c * static_cast<int64_t>(sizeof(double));
}

void rms_norm_backward(const RmsNormBackwardArgs& args, KernelStream stream) {
  require_f32("rms_norm", args.dtype);
  const RowChunks chunks(args.rows);
  double* sums = static_cast<double*>(args.workspace);
  parallel_for(stream.threads, chunks.count, [&](int64_t chunk) {
    double* sum = sums + chunk * args.c;
    std::fill(sum, sum + args.c, 0.0);
    const int64_t first = chunk * chunks.rows_of_one;
    const int64_t last = std::min(first + chunks.rows_of_one, args.rows);
    for (int64_t row = first; row < last; ++row) {
      const float *x = as_f32(args.x) + row * args.c, *dy = as_f32(args.dy) + row * args.c;
      float* dx = as_f32(args.dx) + row * args.c;
      const float rstd = args.rstd[row];
      double products = 0;
      for (int64_t c = 0; c < args.c; ++c) {
        const double product = static_cast<double>(dy[c]) * (x[c] * rstd);
        sum[c] += product;
        products += product * args.gamma[c];
      }
      const float mean = static_cast<float>(products / static_cast<double>(args.c));
      for (int64_t c = 0; c < args.c; ++c) {
        dx[c] = rstd * (dy[c] * args.gamma[c] - x[c] * rstd * mean);
      }
    }
  });
  for (int64_t c = 0; c < args.c; ++c) {
    double sum = 0;
    for (int64_t chunk = 0; chunk < chunks.count; ++chunk) sum += sums[chunk * args.c + c];
    args.dgamma[c] = static_cast<float>(sum);
  }
}

}  // namespace ebb::cpu
