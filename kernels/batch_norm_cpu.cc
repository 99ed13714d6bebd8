#include "kernels/batch_norm.h"

#include <cmath>
#include <vector>

#include "kernels/cpu/f32.h"
#include "kernels/cpu/parallel.h"

namespace ebb::cpu {

namespace {

void activate(Activation activation, int64_t count, float* y, int threads) {
  if (activation == Activation::kNone) return;
  activation_forward({activation, DType::kF32, count, y, y}, {nullptr, threads});
}

}  // namespace

int64_t batch_norm_workspace_bytes(int64_t rows, int64_t c) { return rows * c * 4 + c * 16; }

void batch_norm_train(const BatchNormTrainArgs& args, StreamHandle stream) {
  require_f32("batch_norm", args.dtype);
  const float* x = as_f32(args.x);
  float* y = as_f32(args.y);
  for (int64_t c = 0; c < args.c; ++c) {
    double mean = 0, m2 = 0;
    for (int64_t r = 0; r < args.rows; ++r) mean += x[r * args.c + c];
    mean /= static_cast<double>(args.rows);
    for (int64_t r = 0; r < args.rows; ++r) {
      const double d = x[r * args.c + c] - mean;
      m2 += d * d;
    }
    const double var = m2 / static_cast<double>(args.rows);
    const double unbiased = args.rows > 1 ? m2 / static_cast<double>(args.rows - 1) : var;
    const double rstd = 1 / std::sqrt(var + args.eps);
    args.mean[c] = static_cast<float>(mean);
    args.rstd[c] = static_cast<float>(rstd);
    args.running_mean[c] =
        static_cast<float>((1 - args.momentum) * args.running_mean[c] + args.momentum * mean);
    args.running_var[c] =
        static_cast<float>((1 - args.momentum) * args.running_var[c] + args.momentum * unbiased);
    for (int64_t r = 0; r < args.rows; ++r) {
      y[r * args.c + c] =
          static_cast<float>(args.gamma[c] * (x[r * args.c + c] - mean) * rstd + args.beta[c]);
    }
  }
  activate(args.activation, args.rows * args.c, y, stream.threads);
}

void batch_norm_infer(const BatchNormInferArgs& args, StreamHandle stream) {
  require_f32("batch_norm", args.dtype);
  const float* x = as_f32(args.x);
  float* y = as_f32(args.y);
  for (int64_t r = 0; r < args.rows; ++r) {
    for (int64_t c = 0; c < args.c; ++c) {
      const double rstd = 1 / std::sqrt(static_cast<double>(args.running_var[c]) + args.eps);
      y[r * args.c + c] = static_cast<float>(
          args.gamma[c] * (x[r * args.c + c] - args.running_mean[c]) * rstd + args.beta[c]);
    }
  }
  activate(args.activation, args.rows * args.c, y, stream.threads);
}

void batch_norm_backward(const BatchNormBackwardArgs& args, StreamHandle stream) {
  require_f32("batch_norm", args.dtype);
  const int64_t count = args.rows * args.c;
  const float* x = as_f32(args.x);
  float* dz = static_cast<float*>(args.workspace);
  for (int64_t i = 0; i < count; ++i) {
    const int64_t c = i % args.c;
    dz[i] = args.gamma[c] * (x[i] - args.mean[c]) * args.rstd[c] + args.beta[c];
  }
  activation_backward({args.activation, DType::kF32, count, dz, args.dy, dz}, stream);
  float* dx = as_f32(args.dx);
  for (int64_t c = 0; c < args.c; ++c) {
    double dbeta = 0, dgamma = 0;
    for (int64_t i = c; i < count; i += args.c) {
      dbeta += dz[i];
      dgamma += dz[i] * (static_cast<double>(x[i]) - args.mean[c]) * args.rstd[c];
    }
    args.dbeta[c] = static_cast<float>(dbeta);
    args.dgamma[c] = static_cast<float>(dgamma);
    const double rows = static_cast<double>(args.rows);
    for (int64_t i = c; i < count; i += args.c) {
      const double xh = (static_cast<double>(x[i]) - args.mean[c]) * args.rstd[c];
      dx[i] = static_cast<float>(args.gamma[c] * args.rstd[c] *
                                 (dz[i] - dbeta / rows - xh * dgamma / rows));
    }
  }
}

}  // namespace ebb::cpu
