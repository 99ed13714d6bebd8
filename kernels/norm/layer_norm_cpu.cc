#include "kernels/norm/layer_norm.h"

#include <algorithm>
#include <cmath>

#include "kernels/cpu/f32.h"
#include "kernels/cpu/parallel.h"
#include "kernels/norm/row_chunks.h"

namespace ebb::cpu {

void layer_norm_forward(const LayerNormForwardArgs& args, KernelStream stream) {
  require_f32("layer_norm", args.dtype);
  parallel_for(stream.threads, args.rows, [&](int64_t row) {
    const float* x = as_f32(args.x) + row * args.c;
    float* y = as_f32(args.y) + row * args.c;
    const double count = static_cast<double>(args.c);
    double sum = 0, squares = 0;
    for (int64_t c = 0; c < args.c; ++c) sum += x[c];
    const double mean = sum / count;
    for (int64_t c = 0; c < args.c; ++c) squares += (x[c] - mean) * (x[c] - mean);
    const float rstd = static_cast<float>(1 / std::sqrt(squares / count + args.eps));
    // f32 around the f32 mean, then corrected for what rounding left of the mean.
    const float center = static_cast<float>(mean), rest = static_cast<float>(mean - center);
    for (int64_t c = 0; c < args.c; ++c) {
      const float xh = (x[c] - center - rest) * rstd;
      y[c] = xh * (args.gamma == nullptr ? 1.0f : args.gamma[c]) +
             (args.beta == nullptr ? 0.0f : args.beta[c]);
    }
    if (args.mean != nullptr) args.mean[row] = center;
    if (args.rstd != nullptr) args.rstd[row] = rstd;
  });
}

int64_t layer_norm_workspace_bytes(int64_t rows, int64_t c) {
  return RowChunks(rows).count * 2 * c * static_cast<int64_t>(sizeof(double));
}

namespace {

// dx of one row; adds its terms of dbeta and dgamma to the sums of its chunk, [C] each.
void row_gradient(const LayerNormBackwardArgs& args, int64_t row, double* dbeta, double* dgamma) {
  const float *x = as_f32(args.x) + row * args.c, *dy = as_f32(args.dy) + row * args.c;
  float* dx = as_f32(args.dx) + row * args.c;
  const float mean = args.mean[row], rstd = args.rstd[row];
  const auto gamma = [&](int64_t c) { return args.gamma == nullptr ? 1.0f : args.gamma[c]; };
  double sum = 0, product = 0;  // of g, of g * xh
  for (int64_t c = 0; c < args.c; ++c) {
    const double term = static_cast<double>(dy[c]) * ((x[c] - mean) * rstd);
    dbeta[c] += dy[c];
    dgamma[c] += term;
    sum += static_cast<double>(dy[c]) * gamma(c);
    product += term * gamma(c);
  }
  const double count = static_cast<double>(args.c);
  const float mean_g = static_cast<float>(sum / count);
  const float mean_gx = static_cast<float>(product / count);
  for (int64_t c = 0; c < args.c; ++c) {
    dx[c] = rstd * (dy[c] * gamma(c) - mean_g - (x[c] - mean) * rstd * mean_gx);
  }
}

}  // namespace

void layer_norm_backward(const LayerNormBackwardArgs& args, KernelStream stream) {
  require_f32("layer_norm", args.dtype);
  const RowChunks chunks(args.rows);
  double* sums = static_cast<double*>(args.workspace);
  parallel_for(stream.threads, chunks.count, [&](int64_t chunk) {
    double* dbeta = sums + chunk * 2 * args.c;
    std::fill(dbeta, dbeta + 2 * args.c, 0.0);
    const int64_t first = chunk * chunks.rows_of_one;
    const int64_t last = std::min(first + chunks.rows_of_one, args.rows);
    for (int64_t row = first; row < last; ++row) row_gradient(args, row, dbeta, dbeta + args.c);
  });
  for (int64_t i = 0; i < 2 * args.c; ++i) {
    float* result = i < args.c ? args.dbeta : args.dgamma;
    if (result == nullptr) continue;
    double sum = 0;
    for (int64_t chunk = 0; chunk < chunks.count; ++chunk) sum += sums[chunk * 2 * args.c + i];
    result[i % args.c] = static_cast<float>(sum);
  }
}

}  // namespace ebb::cpu
