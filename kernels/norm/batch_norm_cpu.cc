#include "kernels/norm/batch_norm.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/kernel_stream.h"
#include "kernels/cpu/f32.h"
#include "kernels/cpu/parallel.h"
#include "kernels/norm/cpu/batch_norm_passes.h"
#include "kernels/norm/cpu/batch_norm_plan.h"

namespace ebb::cpu {

namespace {

void require_rows(int64_t rows, int64_t c) {
  EBB_CHECK(rows > 0 && c > 0, ShapeError,
            "cpu kernels: batch_norm takes at least one row and one ", "channel, got [", rows, ", ",
            c, "]");
}

// Statistics of `count` rows, each [C]: mean and the sum of squared deviations from it, in double.
struct Statistics {
  double* mean;
  double* m2;
  double count = 0;
};

// Adds another set to the statistics of one channel (Chan, Golub, LeVeque 1979). weight =
// other count / total count.
void merge_channel(const Statistics& into, int64_t c, double weight, double mean, double m2) {
  const double delta = mean - into.mean[c];
  into.mean[c] += weight * delta;
  into.m2[c] += m2 + delta * delta * into.count * weight;
}

// Statistics of one chunk. Each block is centered at its own f32 mean, which is corrected for its
// rounding, so a large common offset costs no accuracy.
void chunk_statistics(const BatchNormPlan& plan, int64_t chunk, const float* x, void* workspace) {
  const int64_t channels = plan.c;
  double* totals = plan.totals(workspace, chunk);
  std::fill(totals, totals + 2 * channels, 0.0);
  Statistics statistics = {totals, totals + channels};
  float* center = plan.block_sums(workspace, chunk);
  float* sum = center + channels;
  float* squares = sum + channels;
  plan.for_each_block(chunk, [&](int64_t row, int64_t rows) {
    const ChannelRows size = {rows, channels, channels};
    const float* block = x + row * channels;
    std::fill(center, center + 3 * channels, 0.0f);
    sum_rows(size, block, center);
    for (int64_t c = 0; c < channels; ++c) center[c] /= static_cast<float>(rows);
    sum_deviations(size, block, center, sum, squares);
    const double count = static_cast<double>(rows), weight = count / (statistics.count + count);
    for (int64_t c = 0; c < channels; ++c) {
      const double shift = sum[c] / count;
      merge_channel(statistics, c, weight, center[c] + shift, squares[c] - sum[c] * shift);
    }
    statistics.count += count;
  });
}

// Merges all chunks, in order, into the totals of chunk 0.
Statistics merge_chunks(const BatchNormPlan& plan, void* workspace) {
  double* first = plan.totals(workspace, 0);
  Statistics all = {first, first + plan.c, static_cast<double>(plan.end(0))};
  for (int64_t chunk = 1; chunk < plan.chunks; ++chunk) {
    const double* totals = plan.totals(workspace, chunk);
    const double count = static_cast<double>(plan.end(chunk) - plan.begin(chunk));
    const double weight = count / (all.count + count);
    for (int64_t c = 0; c < plan.c; ++c) {
      merge_channel(all, c, weight, totals[c], totals[plan.c + c]);
    }
    all.count += count;
  }
  return all;
}

// Writes mean, rstd and the running statistics.
void finish_statistics(const BatchNormTrainArgs& args, const Statistics& all) {
  const double momentum = args.momentum;
  for (int64_t c = 0; c < args.c; ++c) {
    const double biased = all.m2[c] / all.count;
    const double unbiased = all.m2[c] / std::max(all.count - 1, 1.0);
    args.mean[c] = static_cast<float>(all.mean[c]);
    args.rstd[c] = static_cast<float>(1 / std::sqrt(biased + args.eps));
    args.running_mean[c] =
        static_cast<float>((1 - momentum) * args.running_mean[c] + momentum * all.mean[c]);
    args.running_var[c] =
        static_cast<float>((1 - momentum) * args.running_var[c] + momentum * unbiased);
  }
}

// Applies act((x - mean) * scale + shift) to all rows.
void apply_chunks(const BatchNormPlan& plan, int threads, Activation activation,
                  const ChannelAffine& affine, const float* x, float* y) {
  parallel_for(threads, plan.chunks, [&](int64_t chunk) {
    const int64_t first = plan.begin(chunk) * plan.c;
    const ChannelRows size = {plan.end(chunk) - plan.begin(chunk), plan.c, plan.c};
    apply_affine(size, activation, affine, x + first, y + first);
  });
}

// Writes dz of one chunk to dx, so that the activation is differentiated once, and its sums: dz and
// dz * (x - mean), f32 within a block, double across blocks.
void chunk_gradients(const BatchNormPlan& plan, int64_t chunk, const BatchNormBackwardArgs& args,
                     const ChannelAffine& affine) {
  const int64_t sums = 2 * plan.c;
  double* totals = plan.totals(args.workspace, chunk);
  float* block = plan.block_sums(args.workspace, chunk);
  std::fill(totals, totals + sums, 0.0);
  plan.for_each_block(chunk, [&](int64_t row, int64_t rows) {
    std::fill(block, block + sums, 0.0f);
    const int64_t at = row * plan.c;
    activation_gradients({rows, plan.c, plan.c}, args.activation, affine, as_f32(args.x) + at,
                         as_f32(args.dy) + at, as_f32(args.dx) + at, block, block + plan.c);
    for (int64_t i = 0; i < sums; ++i) totals[i] += block[i];
  });
}

// Adds the chunks in order; writes dbeta, dgamma and the coefficients of dx.
void finish_gradients(const BatchNormPlan& plan, const BatchNormBackwardArgs& args, float* offset,
                      float* grad) {
  double* first = plan.totals(args.workspace, 0);
  for (int64_t chunk = 1; chunk < plan.chunks; ++chunk) {
    const double* totals = plan.totals(args.workspace, chunk);
    for (int64_t i = 0; i < 2 * plan.c; ++i) first[i] += totals[i];
  }
  const double rows = static_cast<double>(plan.rows);
  for (int64_t c = 0; c < plan.c; ++c) {
    const double rstd = args.rstd[c], scale = args.gamma[c] * rstd;
    const double dbeta = first[c], dgamma = first[plan.c + c] * rstd;
    args.dbeta[c] = static_cast<float>(dbeta);
    args.dgamma[c] = static_cast<float>(dgamma);
    offset[c] = static_cast<float>(scale * dbeta / rows);
    grad[c] = static_cast<float>(scale * rstd * dgamma / rows);
  }
}

}  // namespace

int64_t batch_norm_workspace_bytes(int64_t rows, int64_t c) {
  require_rows(rows, c);
  return BatchNormPlan(rows, c).workspace_bytes();
}

void batch_norm_train(const BatchNormTrainArgs& args, KernelStream stream) {
  EBB_CHECK(args.moments == nullptr, Error, "cpu kernels: batch_norm reads x itself");
  require_f32("batch_norm", args.dtype);
  require_rows(args.rows, args.c);
  const BatchNormPlan plan(args.rows, args.c);
  parallel_for(stream.threads, plan.chunks, [&](int64_t chunk) {
    chunk_statistics(plan, chunk, as_f32(args.x), args.workspace);
  });
  const Statistics all = merge_chunks(plan, args.workspace);
  finish_statistics(args, all);
  float* scale = plan.coefficients(args.workspace);
  float* shift = scale + plan.c;
  for (int64_t c = 0; c < plan.c; ++c) {
    scale[c] = args.gamma[c] * args.rstd[c];
    const double rest = all.mean[c] - args.mean[c];  // what f32 cannot hold of a large mean
    shift[c] = static_cast<float>(args.beta[c] - rest * scale[c]);
  }
  apply_chunks(plan, stream.threads, args.activation, {args.mean, scale, shift}, as_f32(args.x),
               as_f32(args.y));
}

void batch_norm_infer(const BatchNormInferArgs& args, KernelStream stream) {
  require_f32("batch_norm", args.dtype);
  require_rows(args.rows, args.c);
  constexpr int64_t kSlab = 256;  // channels at a time: their scales fit the stack
  const BatchNormPlan plan(args.rows, args.c);
  parallel_for(stream.threads, plan.chunks, [&](int64_t chunk) {
    for (int64_t first = 0; first < plan.c; first += kSlab) {
      const int64_t channels = std::min(kSlab, plan.c - first);
      float scale[kSlab];
      for (int64_t c = 0; c < channels; ++c) {
        const double variance = args.running_var[first + c];
        scale[c] = static_cast<float>(args.gamma[first + c] / std::sqrt(variance + args.eps));
      }
      const int64_t start = plan.begin(chunk) * plan.c + first;
      apply_affine({plan.end(chunk) - plan.begin(chunk), channels, plan.c}, args.activation,
                   {args.running_mean + first, scale, args.beta + first}, as_f32(args.x) + start,
                   as_f32(args.y) + start);
    }
  });
}

void batch_norm_backward(const BatchNormBackwardArgs& args, KernelStream stream) {
  require_f32("batch_norm", args.dtype);
  require_rows(args.rows, args.c);
  const BatchNormPlan plan(args.rows, args.c);
  float* scale = plan.coefficients(args.workspace);
  float* offset = scale + plan.c;
  float* grad = offset + plan.c;
  for (int64_t c = 0; c < plan.c; ++c) scale[c] = args.gamma[c] * args.rstd[c];
  const ChannelAffine affine = {args.mean, scale, args.beta};
  parallel_for(stream.threads, plan.chunks,
               [&](int64_t chunk) { chunk_gradients(plan, chunk, args, affine); });
  finish_gradients(plan, args, offset, grad);
  parallel_for(stream.threads, plan.chunks, [&](int64_t chunk) {
    const int64_t first = plan.begin(chunk) * plan.c;
    norm_gradients({plan.end(chunk) - plan.begin(chunk), plan.c, plan.c}, args.mean, scale, offset,
                   grad, as_f32(args.x) + first, as_f32(args.dx) + first);
  });
}

}  // namespace ebb::cpu
