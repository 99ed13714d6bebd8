#include "kernels/cuda/column_sums.h"
#include "kernels/cuda/elements.h"
#include "kernels/norm/batch_norm.h"
#include "kernels/norm/cuda/batch_norm_plan.h"
#include "kernels/norm/cuda/moments.h"
#include "kernels/norm/cuda/row_iterator.h"
#include "kernels/pointwise/cuda/activate.h"

namespace ebb::EBB_GPU_NAMESPACE {
namespace {

constexpr int kChannels = kBatchNormChannels, kLanes = kBatchNormLanes;
constexpr int kPerThread = kBatchNormRowsPerThread, kTileRows = kBatchNormTileRows;
// Neighboring channels of a thread, and rows of one or two inputs that it loads before it uses the
// first.
constexpr int kVectorWidth = 4, kUnrollPairs = 2;

// Moments of the chunk blockIdx.y of every channel, [chunks, C]. A block is [kLanes][kChannels]
// threads; threads of one channel take rows in turn. Each tile is centered at its own mean: its
// rows stay in registers between the two sums.
template <class T>
__global__ void __launch_bounds__(kChannels* kLanes)
    statistics_kernel(BatchNormPlan plan, const T* x, RowMoments* moments) {
  SIMT_SHARED(float, sums, [kLanes][1][kChannels]);
  SIMT_SHARED(float, deviations, [kLanes][2][kChannels]);
  const int64_t channel = int64_t{blockIdx.x} * kChannels + threadIdx.x;
  const int64_t begin = int64_t{blockIdx.y} * plan.chunk_rows;
  const int64_t end = min(begin + plan.chunk_rows, plan.rows);
  Moments all = {0, 0, 0};
  for (int64_t tile = begin; tile < end; tile += kTileRows) {
    const int64_t count = min(int64_t{kTileRows}, end - tile);
    float value[kPerThread];
    float sum[1] = {0};
    for (int i = 0; i < kPerThread; ++i) {
      const int64_t row = i * kLanes + threadIdx.y;
      const bool inside = channel < plan.c && row < count;
      value[i] = inside ? to_float(x[(tile + row) * plan.c + channel]) : 0.0f;
      sum[0] += value[i];
    }
    reduce_columns(sum, sums);
    const float center = column_sum(sums, 0) / static_cast<float>(count);
    float rest[2] = {0, 0};  // what rounding left of the mean, and squares
    for (int i = 0; i < kPerThread; ++i) {
      const float deviation = i * kLanes + threadIdx.y < count ? value[i] - center : 0.0f;
      rest[0] += deviation;
      rest[1] += deviation * deviation;
    }
    reduce_columns(rest, deviations);
    const double rows = static_cast<double>(count), left = column_sum(deviations, 0);
    const double m2 = column_sum(deviations, 1) - left * left / rows;
    all = merge(all, {rows, center + left / rows, m2});
  }
  if (threadIdx.y == 0 && channel < plan.c) moments[blockIdx.y * plan.c + channel] = narrow(all);
}

struct TrainOutputs {
  float eps, momentum;
  const float* gamma;   // [C]
  const float* beta;    // [C]
  float* running_mean;  // [C]
  float* running_var;   // [C]
  float* mean;          // [C]
  float* rstd;          // [C]
  float* coefficients;  // [3, C]: mean, scale, shift
};

SIMT_DEVICE void write_statistics(const TrainOutputs& out, int64_t channels, int64_t c,
                                  const Moments& all) {
  const double momentum = out.momentum, biased = all.m2 / all.count;
  const double unbiased = all.m2 / max(all.count - 1, 1.0);
  const float mean = static_cast<float>(all.mean);
  const float rstd = static_cast<float>(1 / sqrt(biased + out.eps));
  const float scale = out.gamma[c] * rstd;
  out.mean[c] = mean;
  out.rstd[c] = rstd;
  out.running_mean[c] =
      static_cast<float>((1 - momentum) * out.running_mean[c] + momentum * all.mean);
  out.running_var[c] =
      static_cast<float>((1 - momentum) * out.running_var[c] + momentum * unbiased);
  out.coefficients[c] = mean;
  out.coefficients[channels + c] = scale;
  // The part of a large mean that f32 cannot represent goes into the shift.
  out.coefficients[2 * channels + c] = static_cast<float>(out.beta[c] - (all.mean - mean) * scale);
}

// A producer's chunks may be thousands, so many threads share the few channels of a block that
// joins them: [kFinishLanes][kFinishChannels].
constexpr int kFinishChannels = 2, kFinishLanes = 256;
constexpr int kFinishThreads = kFinishChannels * kFinishLanes;

// Chunks first + k * kFinishLanes of one channel, all loaded before one is used; chunks beyond the
// last have no rows.
struct SomeMoments {
  static constexpr int kCount = 8, kStep = kCount * kFinishLanes;
  RowMoments part[kCount];

  SIMT_DEVICE SomeMoments(const RowMoments* moments, int64_t c, int64_t first, int64_t end) {
#pragma unroll
    for (int k = 0; k < kCount; ++k) {
      const int64_t chunk = first + k * kFinishLanes;
      part[k] = moments[(chunk < end ? chunk : first) * c];
    }
#pragma unroll
    for (int k = 1; k < kCount; ++k) {
      if (first + k * kFinishLanes >= end) part[k].count = part[k].m2 = 0;
    }
  }
};

// Joins the chunks of every channel: first their mean, then the deviations from it.
__global__ void __launch_bounds__(kFinishThreads, 1)
    finish_statistics_kernel(int64_t c, int64_t chunks, const RowMoments* moments,
                             TrainOutputs out) {
  SIMT_SHARED(double, means, [kFinishThreads / 32][2][kFinishChannels]);
  SIMT_SHARED(double, deviations, [kFinishThreads / 32][1][kFinishChannels]);
  const int64_t channel = int64_t{blockIdx.x} * kFinishChannels + threadIdx.x;
  const int64_t end = channel < c ? chunks : 0;
  double sum[2] = {0, 0};  // rows, and their values
  for (int64_t chunk = threadIdx.y; chunk < end; chunk += SomeMoments::kStep) {
    const SomeMoments some(moments + channel, c, chunk, end);
#pragma unroll
    for (int k = 0; k < SomeMoments::kCount; ++k) {
      const Moments part = widen(some.part[k]);
      sum[0] += part.count;
      sum[1] += part.count * part.mean;
    }
  }
  reduce_columns(sum, means);
  const double count = column_sum(means, 0), mean = column_sum(means, 1) / count;
  double m2[1] = {0};
  for (int64_t chunk = threadIdx.y; chunk < end; chunk += SomeMoments::kStep) {
    const SomeMoments some(moments + channel, c, chunk, end);
#pragma unroll
    for (int k = 0; k < SomeMoments::kCount; ++k) {
      const Moments part = widen(some.part[k]);
      const double delta = part.mean - mean;
      m2[0] += part.m2 + part.count * delta * delta;
    }
  }
  reduce_columns(m2, deviations);
  if (threadIdx.y == 0 && channel < c) {
    write_statistics(out, c, channel, {count, mean, column_sum(deviations, 0)});
  }
}

// y = act((x - mean) * scale + shift), per channel. y may be x.
template <class T, Activation kActivation, int kWidth>
__global__ void __launch_bounds__(kThreads)
    apply_kernel(int64_t rows, int64_t c, const float* coefficients, const T* x, T* y) {
  const RowIterator<kWidth> rows_of_thread(rows, c);
  const float* first = coefficients + rows_of_thread.channel;
  const Values<kWidth> mean = load_pack<kWidth>(first), scale = load_pack<kWidth>(first + c);
  const Values<kWidth> shift = load_pack<kWidth>(first + 2 * c);
  map_rows<kWidth>(rows_of_thread, c, x, y, [&](int e, float v) {
    return activate<kActivation>((v - mean.v[e]) * scale.v[e] + shift.v[e]);
  });
}

// The running statistics, so that inference needs no scratch: the scale is computed where it is
// used.
template <class T, Activation kActivation, int kWidth>
__global__ void __launch_bounds__(kThreads) infer_kernel(BatchNormInferArgs args) {
  const RowIterator<kWidth> rows_of_thread(args.rows, args.c);
  Values<kWidth> mean, scale, shift;
  for (int e = 0; e < kWidth; ++e) {
    const int64_t channel = rows_of_thread.channel + e;
    mean.v[e] = args.running_mean[channel];
    scale.v[e] = args.gamma[channel] / __fsqrt_rn(args.running_var[channel] + args.eps);
    shift.v[e] = args.beta[channel];
  }
  map_rows<kWidth>(rows_of_thread, args.c, static_cast<const T*>(args.x), static_cast<T*>(args.y),
                   [&](int e, float v) {
                     return activate<kActivation>((v - mean.v[e]) * scale.v[e] + shift.v[e]);
                   });
}

// Per-channel inputs of the backward pass.
struct Gradient {
  const float* mean;   // [C]
  const float* rstd;   // [C]
  const float* gamma;  // [C]
  const float* beta;   // [C]
};

// Sums over the chunk blockIdx.y of kChannels channels, [chunks, C]: f32 over kPerThread rows of a
// thread, double across. A block is [lanes][packs of kWidth channels] threads.
template <class T, Activation kActivation, int kWidth>
__global__ void __launch_bounds__(kThreads, 3)
    gradient_sums_kernel(BatchNormPlan plan, Gradient g, const T* x, const T* dy,
                         GradientSums* sums) {
  constexpr int kColumns = kChannels / kWidth, kSumLanes = kThreads / kColumns;
  SIMT_SHARED(double, partial, [kThreads / 32][2 * kWidth][kColumns]);
  const int64_t channel = int64_t{blockIdx.x} * kChannels + threadIdx.x * kWidth;
  const bool exists = channel < plan.c;
  const int64_t begin = int64_t{blockIdx.y} * plan.chunk_rows;
  const int64_t end = exists ? min(begin + plan.chunk_rows, plan.rows) : begin;
  Values<kWidth> mean = {}, scale = {}, beta = {};
  for (int e = 0; exists && e < kWidth; ++e) {
    mean.v[e] = g.mean[channel + e];
    scale.v[e] = g.gamma[channel + e] * g.rstd[channel + e];
    beta.v[e] = g.beta[channel + e];
  }
  double totals[2 * kWidth] = {};  // dz of every channel, then the products
  for (int64_t tile = begin; tile < end; tile += kPerThread * kSumLanes) {
    const int count = static_cast<int>(min(end - tile, int64_t{kPerThread * kSumLanes}));
    float part[2 * kWidth] = {};
#pragma unroll 1
    for (int row = threadIdx.y; row < count; row += kUnrollPairs * kSumLanes) {
      Pack<T, kWidth> vx[kUnrollPairs], vdy[kUnrollPairs];
#pragma unroll
      for (int k = 0; k < kUnrollPairs; ++k) {  // without a condition, to be in flight together
        const int next = row + k * kSumLanes;
        const int64_t at = (tile + (next < count ? next : row)) * plan.c + channel;
        vx[k] = load_pack<kWidth>(x + at);
        vdy[k] = load_pack<kWidth>(dy + at);
      }
#pragma unroll
      for (int k = 0; k < kUnrollPairs; ++k) {
        const bool inside = row + k * kSumLanes < count;
        for (int e = 0; e < kWidth; ++e) {
          const float centered = to_float(vx[k].v[e]) - mean.v[e];
          const float z = centered * scale.v[e] + beta.v[e];
          const float dz = to_float(vdy[k].v[e]) * activation_grad<kActivation>(z);
          if (inside) {
            part[e] += dz;
            part[kWidth + e] += dz * centered;
          }
        }
      }
    }
    for (int i = 0; i < 2 * kWidth; ++i) totals[i] += part[i];
  }
  reduce_columns(totals, partial);
  const int e = static_cast<int>(threadIdx.y);
  if (e < kWidth && exists) {
    sums[blockIdx.y * plan.c + channel + e] = {column_sum(partial, e),
                                               column_sum(partial, kWidth + e)};
  }
}

// Adds the chunks; writes dbeta, dgamma and the coefficients of dx, [5, C]: mean, scale, beta,
// offset, slope.
__global__ void __launch_bounds__(kFinishThreads)
    finish_gradients_kernel(BatchNormPlan plan, Gradient g, const GradientSums* sums, float* dgamma,
                            float* dbeta, float* coefficients) {
  SIMT_SHARED(double, partial, [kFinishThreads / 32][2][kFinishChannels]);
  const int64_t channel = int64_t{blockIdx.x} * kFinishChannels + threadIdx.x;
  static_assert(kBatchNormMaxChunks <= kFinishLanes);  // a chunk per lane
  const int64_t chunk = threadIdx.y;
  double sum[2] = {0, 0};
  if (channel < plan.c && chunk < plan.chunks) {
    const GradientSums part = sums[chunk * plan.c + channel];
    sum[0] = part.dz;
    sum[1] = part.product;
  }
  reduce_columns(sum, partial);
  if (threadIdx.y == 0 && channel < plan.c) {
    const double dz_sum = column_sum(partial, 0), product_sum = column_sum(partial, 1);
    const double rows = static_cast<double>(plan.rows), rstd = g.rstd[channel];
    const double scale = g.gamma[channel] * rstd, gamma_sum = product_sum * rstd;
    dbeta[channel] = static_cast<float>(dz_sum);
    dgamma[channel] = static_cast<float>(gamma_sum);
    coefficients[channel] = g.mean[channel];
    coefficients[plan.c + channel] = g.gamma[channel] * g.rstd[channel];
    coefficients[2 * plan.c + channel] = g.beta[channel];
    coefficients[3 * plan.c + channel] = static_cast<float>(scale * dz_sum / rows);
    coefficients[4 * plan.c + channel] = static_cast<float>(scale * rstd * gamma_sum / rows);
  }
}

// dx = scale dz - offset - slope (x - mean). dx may be dy.
template <class T, Activation kActivation, int kWidth>
__global__ void __launch_bounds__(kThreads, 3)
    apply_gradient_kernel(int64_t rows, int64_t c, const float* coefficients, const T* x,
                          const T* dy, T* dx) {
  const RowIterator<kWidth> rows_of_thread(rows, c);
  const float* first = coefficients + rows_of_thread.channel;
  const Values<kWidth> mean = load_pack<kWidth>(first), scale = load_pack<kWidth>(first + c);
  const Values<kWidth> beta = load_pack<kWidth>(first + 2 * c);
  const Values<kWidth> offset = load_pack<kWidth>(first + 3 * c);
  const Values<kWidth> grad = load_pack<kWidth>(first + 4 * c);
  for (int64_t row = rows_of_thread.row; row < rows_of_thread.end;
       row += kUnrollPairs * rows_of_thread.step) {
    Pack<T, kWidth> vx[kUnrollPairs], v[kUnrollPairs];
#pragma unroll
    for (int k = 0; k < kUnrollPairs; ++k) {
      const int64_t at = rows_of_thread.row_or_first(row, k) * c + rows_of_thread.channel;
      vx[k] = load_pack<kWidth>(x + at);
      v[k] = load_pack<kWidth>(dy + at);
    }
#pragma unroll
    for (int k = 0; k < kUnrollPairs; ++k) {
      const int64_t r = row + k * rows_of_thread.step;
      for (int e = 0; e < kWidth; ++e) {
        const float centered = to_float(vx[k].v[e]) - mean.v[e];
        const float z = centered * scale.v[e] + beta.v[e];
        const float dz = to_float(v[k].v[e]) * activation_grad<kActivation>(z);
        v[k].v[e] = from_float<T>(scale.v[e] * dz - offset.v[e] - grad.v[e] * centered);
      }
      if (r < rows_of_thread.end) store_pack<kWidth>(dx + r * c + rows_of_thread.channel, v[k]);
    }
  }
}

void require_rows(int64_t rows, int64_t c) {
  EBB_CHECK(rows > 0 && c > 0, ShapeError,
            "cuda kernels: batch_norm takes at least one row and one channel, got [", rows, ", ", c,
            "]");
}

simt::LaunchConfig channel_tiles(const char* name, const BatchNormPlan& plan, int width,
                                 KernelStream stream) {
  const unsigned columns = static_cast<unsigned>(kChannels / width);
  return {
      .name = name,
      .grid = dim3(static_cast<unsigned>(plan.channel_tiles()), static_cast<unsigned>(plan.chunks)),
      .block = dim3(columns, kThreads / columns),
      .stream = stream};
}

simt::LaunchConfig finish(const char* name, int64_t c, KernelStream stream) {
  return {.name = name,
          .grid = dim3(static_cast<unsigned>(ceil_div(c, kFinishChannels))),
          .block = dim3(kFinishChannels, kFinishLanes),
          .stream = stream};
}

// Threads for a RowIterator: a row of packs at least.
simt::LaunchConfig row_loop(const char* name, int64_t rows, int64_t packs, KernelStream stream) {
  const unsigned one_row = static_cast<unsigned>(ceil_div(packs, kThreads));
  return {.name = name,
          .grid = dim3(std::max(blocks_for(ceil_div(rows, kUnroll) * packs), one_row)),
          .block = dim3(kThreads),
          .stream = stream};
}

}  // namespace

int64_t batch_norm_workspace_bytes(int64_t rows, int64_t c) {
  require_rows(rows, c);
  return BatchNormPlan(rows, c).workspace_bytes();
}

void batch_norm_train(const BatchNormTrainArgs& args, KernelStream stream) {
  require_rows(args.rows, args.c);
  const BatchNormPlan plan(args.rows, args.c);
  const RowMoments* moments = args.moments;
  const int64_t chunks = moments == nullptr ? plan.chunks : args.moment_chunks;
  float* coefficients = plan.coefficients(args.workspace);
  for_dtype("batch_norm", args.dtype, [&](auto type) {
    using T = decltype(type);
    const T* x = static_cast<const T*>(args.x);
    T* y = static_cast<T*>(args.y);
    if (moments == nullptr) {
      simt::launch(channel_tiles("batch_norm_statistics", plan, 1, stream), statistics_kernel<T>,
                   plan, x, plan.moments(args.workspace));
      moments = plan.moments(args.workspace);
    }
    simt::launch(finish("batch_norm_finish", args.c, stream), finish_statistics_kernel, args.c,
                 chunks, moments,
                 TrainOutputs{args.eps, args.momentum, args.gamma, args.beta, args.running_mean,
                              args.running_var, args.mean, args.rstd, coefficients});
    const bool vectorized = packs_fit(x, y, coefficients) && args.c % kVectorWidth == 0;
    for_activation(args.activation, [&](auto tag) {
      constexpr Activation kActivation = decltype(tag)::value;
      simt::launch(
          row_loop("batch_norm_apply", args.rows, args.c / (vectorized ? kVectorWidth : 1), stream),
          vectorized ? apply_kernel<T, kActivation, kVectorWidth> : apply_kernel<T, kActivation, 1>,
          args.rows, args.c, coefficients, x, y);
    });
  });
}

void batch_norm_infer(const BatchNormInferArgs& args, KernelStream stream) {
  require_rows(args.rows, args.c);
  for_dtype("batch_norm", args.dtype, [&](auto type) {
    using T = decltype(type);
    const bool vectorized = packs_fit(args.x, args.y) && args.c % kVectorWidth == 0;
    for_activation(args.activation, [&](auto tag) {
      constexpr Activation kActivation = decltype(tag)::value;
      simt::launch(
          row_loop("batch_norm_infer", args.rows, args.c / (vectorized ? kVectorWidth : 1), stream),
          vectorized ? infer_kernel<T, kActivation, kVectorWidth> : infer_kernel<T, kActivation, 1>,
          args);
    });
  });
}

void batch_norm_backward(const BatchNormBackwardArgs& args, KernelStream stream) {
  require_rows(args.rows, args.c);
  const BatchNormPlan plan(args.rows, args.c);
  const Gradient gradient{args.mean, args.rstd, args.gamma, args.beta};
  GradientSums* sums = plan.sums(args.workspace);
  float* coefficients = plan.coefficients(args.workspace);
  for_dtype("batch_norm", args.dtype, [&](auto type) {
    using T = decltype(type);
    const T* x = static_cast<const T*>(args.x);
    const T* dy = static_cast<const T*>(args.dy);
    T* dx = static_cast<T*>(args.dx);
    const bool vectorized = packs_fit(x, dy, dx, coefficients) && args.c % kVectorWidth == 0;
    const int width = vectorized ? kVectorWidth : 1;
    for_activation(args.activation, [&](auto tag) {
      constexpr Activation kActivation = decltype(tag)::value;
      simt::launch(channel_tiles("batch_norm_gradient_sums", plan, width, stream),
                   vectorized ? gradient_sums_kernel<T, kActivation, kVectorWidth>
                              : gradient_sums_kernel<T, kActivation, 1>,
                   plan, gradient, x, dy, sums);
      simt::launch(finish("batch_norm_finish_gradients", args.c, stream), finish_gradients_kernel,
                   plan, gradient, sums, args.dgamma, args.dbeta, coefficients);
      simt::launch(row_loop("batch_norm_apply_gradient", args.rows, args.c / width, stream),
                   vectorized ? apply_gradient_kernel<T, kActivation, kVectorWidth>
                              : apply_gradient_kernel<T, kActivation, 1>,
                   args.rows, args.c, coefficients, x, dy, dx);
    });
  });
}

}  // namespace ebb::EBB_GPU_NAMESPACE
