#include "kernels/batch_norm.h"
#include "kernels/cuda/activate.h"
#include "kernels/cuda/batch_norm_sums.h"
#include "kernels/cuda/elements.h"
#include "kernels/cuda/moments.h"
#include "kernels/cuda/reduce.h"

namespace ebb::EBB_GPU_NAMESPACE {
namespace {

constexpr int kChannels = kBatchNormChannels, kLanes = kBatchNormLanes;
constexpr int kPerThread = kBatchNormRowsPerThread, kTileRows = kBatchNormTileRows;

// A block is [kLanes][kChannels] threads: threadIdx.x is the channel of the block's tile, and
// threads of one channel take rows in turn.
SIMT_DEVICE int64_t block_channel() {
  return static_cast<int64_t>(blockIdx.x) * kChannels + threadIdx.x;
}

// Moments of the chunk blockIdx.y of every channel, [chunks, C]. Each tile is centred at its own
// mean: its rows stay in registers between the two sums.
template <class T>
__global__ void __launch_bounds__(kChannels* kLanes)
    statistics_kernel(BatchNormPlan plan, const T* x, RowMoments* moments) {
  SIMT_SHARED(float, shared, [kLanes][kChannels]);
  const int64_t channel = block_channel();
  const int64_t begin = int64_t{blockIdx.y} * plan.chunk_rows;
  const int64_t end = min(begin + plan.chunk_rows, plan.rows);
  Moments all = {0, 0, 0};
  for (int64_t tile = begin; tile < end; tile += kTileRows) {
    const int64_t count = min(int64_t{kTileRows}, end - tile);
    float value[kPerThread];
    float sum = 0;
    for (int i = 0; i < kPerThread; ++i) {
      const int64_t row = i * kLanes + threadIdx.y;
      const bool inside = channel < plan.c && row < count;
      value[i] = inside ? to_float(x[(tile + row) * plan.c + channel]) : 0.0f;
      sum += value[i];
    }
    const float centre = add_lanes(sum, shared) / static_cast<float>(count);
    float rest = 0, squares = 0;
    for (int i = 0; i < kPerThread; ++i) {
      const float deviation = i * kLanes + threadIdx.y < count ? value[i] - centre : 0.0f;
      rest += deviation;
      squares += deviation * deviation;
    }
    const double rows = static_cast<double>(count);
    const double deviations = add_lanes(rest, shared);  // what rounding left of the mean
    const double m2 = add_lanes(squares, shared) - deviations * deviations / rows;
    all = merge(all, {rows, centre + deviations / rows, m2});
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
  float* scale;         // [C]
  float* shift;         // [C]
};

SIMT_DEVICE void write_statistics(const TrainOutputs& out, int64_t c, const Moments& all) {
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
  out.scale[c] = scale;
  // What f32 cannot hold of a large mean goes into the shift.
  out.shift[c] = static_cast<float>(out.beta[c] - (all.mean - mean) * scale);
}

// A producer's chunks may be thousands, so many threads share the few channels of a block that
// joins them: [kFinishLanes][kFinishChannels].
constexpr int kFinishChannels = 8, kFinishLanes = 64;

// Adds a value per lane of a channel, in the same order always, and gives the sum to all lanes.
SIMT_DEVICE double add_finish_lanes(double v) {
  constexpr int kLanesOfWarp = 32 / kFinishChannels, kWarps = kFinishLanes / kLanesOfWarp;
  SIMT_SHARED(double, partial, [kWarps][kFinishChannels]);
  for (int offset = kFinishChannels; offset < 32; offset *= 2) {
    v += __shfl_xor_sync(kAllLanes, v, offset);
  }
  const int channel = static_cast<int>(threadIdx.x), lane = static_cast<int>(threadIdx.y);
  __syncthreads();  // the previous sums may still be read
  if (lane % kLanesOfWarp == 0) partial[lane / kLanesOfWarp][channel] = v;
  __syncthreads();
  double sum = partial[0][channel];
  for (int w = 1; w < kWarps; ++w) sum += partial[w][channel];
  return sum;
}

// Joins the chunks of every channel: first their mean, then the deviations from it.
__global__ void __launch_bounds__(kFinishChannels* kFinishLanes)
    finish_statistics_kernel(int64_t c, int64_t chunks, const RowMoments* moments,
                             TrainOutputs out) {
  const int64_t channel = int64_t{blockIdx.x} * kFinishChannels + threadIdx.x;
  const int64_t end = channel < c ? chunks : 0;
  double count = 0, sum = 0, m2 = 0;
#pragma unroll 4
  for (int64_t chunk = threadIdx.y; chunk < end; chunk += kFinishLanes) {
    const Moments part = widen(moments[chunk * c + channel]);
    count += part.count;
    sum += part.count * part.mean;
  }
  count = add_finish_lanes(count);
  const double mean = add_finish_lanes(sum) / count;
#pragma unroll 4
  for (int64_t chunk = threadIdx.y; chunk < end; chunk += kFinishLanes) {
    const Moments part = widen(moments[chunk * c + channel]);
    const double delta = part.mean - mean;
    m2 += part.m2 + part.count * delta * delta;
  }
  m2 = add_finish_lanes(m2);
  if (threadIdx.y == 0 && channel < c) write_statistics(out, channel, {count, mean, m2});
}

// z = (x - mean) * scale + shift, per channel.
struct Affine {
  const float* mean;   // [C]
  const float* scale;  // [C]
  const float* shift;  // [C]
};

// y = act(z). y may be x.
template <class T, Activation kActivation, int kWidth>
__global__ void __launch_bounds__(kThreads)
    apply_kernel(int64_t rows, int64_t c, Affine affine, const T* x, T* y) {
  for (int64_t i = global_thread() * kWidth; i < rows * c; i += global_threads() * kWidth) {
    const int64_t channel = i % c;
    Pack<T, kWidth> v = load_pack<kWidth>(x + i);
    for (int e = 0; e < kWidth; ++e) {
      const float centred = to_float(v.v[e]) - affine.mean[channel + e];
      const float z = centred * affine.scale[channel + e] + affine.shift[channel + e];
      v.v[e] = from_float<T>(activate<kActivation>(z));
    }
    store_pack<kWidth>(y + i, v);
  }
}

// The running statistics, so that inference needs no scratch: the scale is computed where it is
// used.
template <class T, Activation kActivation, int kWidth>
__global__ void __launch_bounds__(kThreads) infer_kernel(BatchNormInferArgs args) {
  const T* x = static_cast<const T*>(args.x);
  T* y = static_cast<T*>(args.y);
  for (int64_t i = global_thread() * kWidth; i < args.rows * args.c;
       i += global_threads() * kWidth) {
    const int64_t channel = i % args.c;
    Pack<T, kWidth> v = load_pack<kWidth>(x + i);
    for (int e = 0; e < kWidth; ++e) {
      const int64_t c = channel + e;
      const float scale = args.gamma[c] / __fsqrt_rn(args.running_var[c] + args.eps);
      const float z = (to_float(v.v[e]) - args.running_mean[c]) * scale + args.beta[c];
      v.v[e] = from_float<T>(activate<kActivation>(z));
    }
    store_pack<kWidth>(y + i, v);
  }
}

// What the backward pass knows of a channel.
struct Gradient {
  const float* mean;   // [C]
  const float* rstd;   // [C]
  const float* gamma;  // [C]
  const float* beta;   // [C]
};

// x - mean and dz = dy * act'(z) of one element.
template <Activation kActivation>
SIMT_DEVICE float slope_of(const Gradient& g, int64_t c, float centred) {
  return activation_slope<kActivation>(centred * (g.gamma[c] * g.rstd[c]) + g.beta[c]);
}

// Sums of dz and dz * (x - mean) over the chunk blockIdx.y, [chunks, 2, C]: f32 within a tile,
// double across tiles.
template <class T, Activation kActivation>
__global__ void __launch_bounds__(kChannels* kLanes)
    gradient_sums_kernel(BatchNormPlan plan, Gradient g, const T* x, const T* dy, double* sums) {
  SIMT_SHARED(double, shared, [kLanes][kChannels]);
  const int64_t channel = block_channel();
  const int64_t begin = int64_t{blockIdx.y} * plan.chunk_rows;
  const int64_t end = min(begin + plan.chunk_rows, plan.rows);
  double dz_sum = 0, product_sum = 0;
  for (int64_t tile = begin; channel < plan.c && tile < end; tile += kTileRows) {
    float dz_tile = 0, product_tile = 0;
    for (int64_t row = tile + threadIdx.y; row < min(tile + kTileRows, end); row += kLanes) {
      const int64_t i = row * plan.c + channel;
      const float centred = to_float(x[i]) - g.mean[channel];
      const float dz = to_float(dy[i]) * slope_of<kActivation>(g, channel, centred);
      dz_tile += dz;
      product_tile += dz * centred;
    }
    dz_sum += dz_tile;
    product_sum += product_tile;
  }
  dz_sum = add_lanes(dz_sum, shared);
  product_sum = add_lanes(product_sum, shared);
  if (threadIdx.y == 0 && channel < plan.c) {
    double* chunk = sums + blockIdx.y * 2 * plan.c;
    chunk[channel] = dz_sum;
    chunk[plan.c + channel] = product_sum;
  }
}

// Adds the chunks; writes dbeta, dgamma and the coefficients of dx.
__global__ void __launch_bounds__(kChannels* kLanes)
    finish_gradients_kernel(BatchNormPlan plan, Gradient g, const double* sums, float* dgamma,
                            float* dbeta, float* offset, float* slope) {
  SIMT_SHARED(double, shared, [kLanes][kChannels]);
  const int64_t channel = block_channel();
  double dz_sum = 0, product_sum = 0;
  for (int64_t chunk = threadIdx.y; channel < plan.c && chunk < plan.chunks; chunk += kLanes) {
    dz_sum += sums[chunk * 2 * plan.c + channel];
    product_sum += sums[chunk * 2 * plan.c + plan.c + channel];
  }
  dz_sum = add_lanes(dz_sum, shared);
  product_sum = add_lanes(product_sum, shared);
  if (threadIdx.y == 0 && channel < plan.c) {
    const double rows = static_cast<double>(plan.rows), rstd = g.rstd[channel];
    const double scale = g.gamma[channel] * rstd, gamma_sum = product_sum * rstd;
    dbeta[channel] = static_cast<float>(dz_sum);
    dgamma[channel] = static_cast<float>(gamma_sum);
    offset[channel] = static_cast<float>(scale * dz_sum / rows);
    slope[channel] = static_cast<float>(scale * rstd * gamma_sum / rows);
  }
}

// dx = scale dz - offset - slope (x - mean). dx may be dy.
template <class T, Activation kActivation, int kWidth>
__global__ void __launch_bounds__(kThreads)
    apply_gradient_kernel(int64_t rows, int64_t c, Gradient g, const float* offset,
                          const float* slope, const T* x, const T* dy, T* dx) {
  for (int64_t i = global_thread() * kWidth; i < rows * c; i += global_threads() * kWidth) {
    const int64_t channel = i % c;
    const Pack<T, kWidth> vx = load_pack<kWidth>(x + i);
    Pack<T, kWidth> v = load_pack<kWidth>(dy + i);
    for (int e = 0; e < kWidth; ++e) {
      const int64_t ce = channel + e;
      const float centred = to_float(vx.v[e]) - g.mean[ce];
      const float dz = to_float(v.v[e]) * slope_of<kActivation>(g, ce, centred);
      v.v[e] = from_float<T>(g.gamma[ce] * g.rstd[ce] * dz - offset[ce] - slope[ce] * centred);
    }
    store_pack<kWidth>(dx + i, v);
  }
}

void require_rows(int64_t rows, int64_t c) {
  EBB_CHECK(rows > 0 && c > 0, ShapeError,
            "cuda kernels: batch_norm takes at least one row and one channel, got [", rows, ", ", c,
            "]");
}

simt::LaunchConfig channel_tiles(const char* name, const BatchNormPlan& plan, int64_t chunks,
                                 StreamHandle stream) {
  return {.name = name,
          .grid = dim3(static_cast<unsigned>(plan.channel_tiles()), static_cast<unsigned>(chunks)),
          .block = dim3(kChannels, kLanes),
          .stream = stream};
}

simt::LaunchConfig elements(const char* name, int64_t work, StreamHandle stream) {
  return {.name = name, .grid = dim3(blocks_for(work)), .block = dim3(kThreads), .stream = stream};
}

}  // namespace

int64_t batch_norm_workspace_bytes(int64_t rows, int64_t c) {
  require_rows(rows, c);
  return BatchNormPlan(rows, c).workspace_bytes();
}

void batch_norm_train(const BatchNormTrainArgs& args, StreamHandle stream) {
  require_rows(args.rows, args.c);
  const BatchNormPlan plan(args.rows, args.c);
  const RowMoments* moments = args.moments;
  const int64_t chunks = moments == nullptr ? plan.chunks : args.moment_chunks;
  float* scale = plan.coefficients(args.workspace);
  float* shift = scale + args.c;
  for_dtype("batch_norm", args.dtype, [&](auto type) {
    using T = decltype(type);
    constexpr int kWidth = kPackWidth<T>;
    const T* x = static_cast<const T*>(args.x);
    T* y = static_cast<T*>(args.y);
    if (moments == nullptr) {
      simt::launch(channel_tiles("batch_norm_statistics", plan, plan.chunks, stream),
                   statistics_kernel<T>, plan, x, plan.moments(args.workspace));
      moments = plan.moments(args.workspace);
    }
    simt::launch({.name = "batch_norm_finish",
                  .grid = dim3(static_cast<unsigned>(ceil_div(args.c, kFinishChannels))),
                  .block = dim3(kFinishChannels, kFinishLanes),
                  .stream = stream},
                 finish_statistics_kernel, args.c, chunks, moments,
                 TrainOutputs{args.eps, args.momentum, args.gamma, args.beta, args.running_mean,
                              args.running_var, args.mean, args.rstd, scale, shift});
    const bool wide = packs_fit(x, y) && args.c % kWidth == 0;
    const int64_t work = args.rows * args.c / (wide ? kWidth : 1);
    for_activation(args.activation, [&](auto tag) {
      constexpr Activation kActivation = decltype(tag)::value;
      simt::launch(elements("batch_norm_apply", work, stream),
                   wide ? apply_kernel<T, kActivation, kWidth> : apply_kernel<T, kActivation, 1>,
                   args.rows, args.c, Affine{args.mean, scale, shift}, x, y);
    });
  });
}

void batch_norm_infer(const BatchNormInferArgs& args, StreamHandle stream) {
  require_rows(args.rows, args.c);
  for_dtype("batch_norm", args.dtype, [&](auto type) {
    using T = decltype(type);
    constexpr int kWidth = kPackWidth<T>;
    const bool wide = packs_fit(args.x, args.y) && args.c % kWidth == 0;
    const int64_t work = args.rows * args.c / (wide ? kWidth : 1);
    for_activation(args.activation, [&](auto tag) {
      constexpr Activation kActivation = decltype(tag)::value;
      simt::launch(elements("batch_norm_infer", work, stream),
                   wide ? infer_kernel<T, kActivation, kWidth> : infer_kernel<T, kActivation, 1>,
                   args);
    });
  });
}

void batch_norm_backward(const BatchNormBackwardArgs& args, StreamHandle stream) {
  require_rows(args.rows, args.c);
  const BatchNormPlan plan(args.rows, args.c);
  const Gradient gradient{args.mean, args.rstd, args.gamma, args.beta};
  double* sums = plan.sums(args.workspace);
  float* offset = plan.coefficients(args.workspace);
  float* slope = offset + args.c;
  for_dtype("batch_norm", args.dtype, [&](auto type) {
    using T = decltype(type);
    constexpr int kWidth = kPackWidth<T>;
    const T* x = static_cast<const T*>(args.x);
    const T* dy = static_cast<const T*>(args.dy);
    T* dx = static_cast<T*>(args.dx);
    const bool wide = packs_fit(x, dy, dx) && args.c % kWidth == 0;
    const int64_t work = args.rows * args.c / (wide ? kWidth : 1);
    for_activation(args.activation, [&](auto tag) {
      constexpr Activation kActivation = decltype(tag)::value;
      simt::launch(channel_tiles("batch_norm_gradient_sums", plan, plan.chunks, stream),
                   gradient_sums_kernel<T, kActivation>, plan, gradient, x, dy, sums);
      simt::launch(channel_tiles("batch_norm_finish_gradients", plan, 1, stream),
                   finish_gradients_kernel, plan, gradient, sums, args.dgamma, args.dbeta, offset,
                   slope);
      simt::launch(elements("batch_norm_apply_gradient", work, stream),
                   wide ? apply_gradient_kernel<T, kActivation, kWidth>
                        : apply_gradient_kernel<T, kActivation, 1>,
                   args.rows, args.c, gradient, offset, slope, x, dy, dx);
    });
  });
}

}  // namespace ebb::EBB_GPU_NAMESPACE
