#include "kernels/cuda/elements.h"
#include "kernels/cuda/grid.h"
#include "kernels/cuda/reduce.h"
#include "kernels/norm/layer_norm.h"
#include "kernels/norm/row_chunks.h"

namespace ebb::EBB_GPU_NAMESPACE {
namespace {

// One block per row. y may be x.
template <class T>
__global__ void __launch_bounds__(kThreads) layer_norm_forward_kernel(LayerNormForwardArgs args) {
  const double count = static_cast<double>(args.c);
  for (int64_t row = blockIdx.x; row < args.rows; row += gridDim.x) {
    const T* x = static_cast<const T*>(args.x) + row * args.c;
    T* y = static_cast<T*>(args.y) + row * args.c;
    double sum = 0;
    for (int64_t c = threadIdx.x; c < args.c; c += kThreads) sum += to_float(x[c]);
    const double mean = block_sum<kThreads>(sum) / count;
    // f32 around the f32 mean, then corrected for what rounding left of the mean.
    const float center = static_cast<float>(mean), rest = static_cast<float>(mean - center);
    float squares = 0;
    for (int64_t c = threadIdx.x; c < args.c; c += kThreads) {
      const float deviation = to_float(x[c]) - center - rest;
      squares += deviation * deviation;
    }
    const double variance = block_sum<kThreads>(static_cast<double>(squares)) / count;
    const float rstd = static_cast<float>(1 / sqrt(variance + args.eps));
    for (int64_t c = threadIdx.x; c < args.c; c += kThreads) {
      const float xh = (to_float(x[c]) - center - rest) * rstd;
      const float gamma = args.gamma == nullptr ? 1.0f : args.gamma[c];
      const float beta = args.beta == nullptr ? 0.0f : args.beta[c];
      y[c] = from_float<T>(xh * gamma + beta);
    }
    if (threadIdx.x == 0) {
      if (args.mean != nullptr) args.mean[row] = center;
      if (args.rstd != nullptr) args.rstd[row] = rstd;
    }
  }
}

// dx, one block per row. dx may be dy.
template <class T>
__global__ void __launch_bounds__(kThreads) layer_norm_input_kernel(LayerNormBackwardArgs args) {
  const double count = static_cast<double>(args.c);
  for (int64_t row = blockIdx.x; row < args.rows; row += gridDim.x) {
    const T* x = static_cast<const T*>(args.x) + row * args.c;
    const T* dy = static_cast<const T*>(args.dy) + row * args.c;
    T* dx = static_cast<T*>(args.dx) + row * args.c;
    const float mean = args.mean[row], rstd = args.rstd[row];
    double sum = 0, product = 0;  // of g, of g * xh
    for (int64_t c = threadIdx.x; c < args.c; c += kThreads) {
      const double g =
          static_cast<double>(to_float(dy[c])) * (args.gamma == nullptr ? 1.0f : args.gamma[c]);
      sum += g;
      product += g * ((to_float(x[c]) - mean) * rstd);
    }
    const float mean_g = static_cast<float>(block_sum<kThreads>(sum) / count);
    const float mean_gx = static_cast<float>(block_sum<kThreads>(product) / count);
    for (int64_t c = threadIdx.x; c < args.c; c += kThreads) {
      const float g = to_float(dy[c]) * (args.gamma == nullptr ? 1.0f : args.gamma[c]);
      const float xh = (to_float(x[c]) - mean) * rstd;
      dx[c] = from_float<T>(rstd * (g - mean_g - xh * mean_gx));
    }
  }
}

constexpr int kSumChannels = 32, kSumRows = 8;

// sums[chunk, 0, c] of dy and sums[chunk, 1, c] of dy * xh. threadIdx.x: channel, threadIdx.y:
// every 8th row of the chunk.
template <class T>
__global__ void __launch_bounds__(kSumChannels* kSumRows)
    layer_norm_params_kernel(LayerNormBackwardArgs args, RowChunks chunks, double* sums) {
  SIMT_SHARED(double, partial, [2][kSumRows][kSumChannels]);
  const int64_t c = int64_t{blockIdx.x} * kSumChannels + threadIdx.x;
  const int64_t first = blockIdx.y * chunks.rows_of_one;
  const int64_t last = min(first + chunks.rows_of_one, args.rows);
  double dbeta = 0, dgamma = 0;
  for (int64_t row = first + threadIdx.y; c < args.c && row < last; row += kSumRows) {
    const int64_t i = row * args.c + c;
    const float x = to_float(static_cast<const T*>(args.x)[i]);
    const double dy = to_float(static_cast<const T*>(args.dy)[i]);
    dbeta += dy;
    dgamma += dy * ((x - args.mean[row]) * args.rstd[row]);
  }
  partial[0][threadIdx.y][threadIdx.x] = dbeta;
  partial[1][threadIdx.y][threadIdx.x] = dgamma;
  __syncthreads();
  if (threadIdx.y != 0 || c >= args.c) return;
  for (int row = 1; row < kSumRows; ++row) {
    dbeta += partial[0][row][threadIdx.x];
    dgamma += partial[1][row][threadIdx.x];
  }
  double* chunk = sums + blockIdx.y * 2 * args.c;
  chunk[c] = dbeta;
  chunk[args.c + c] = dgamma;
}

// Adds the chunks, in order. dbeta or dgamma may be null.
__global__ void __launch_bounds__(kThreads)
    layer_norm_add_kernel(int64_t channels, int64_t chunks, const double* sums, float* dbeta,
                          float* dgamma) {
  for (int64_t i = global_thread(); i < 2 * channels; i += global_threads()) {
    float* result = i < channels ? dbeta : dgamma;
    if (result == nullptr) continue;
    double sum = 0;
    for (int64_t chunk = 0; chunk < chunks; ++chunk) sum += sums[chunk * 2 * channels + i];
    result[i % channels] = static_cast<float>(sum);
  }
}

}  // namespace

void layer_norm_forward(const LayerNormForwardArgs& args, KernelStream stream) {
  for_dtype("layer_norm", args.dtype, [&](auto type) {
    simt::launch({.name = "layer_norm_forward",
                  .grid = dim3(blocks_for(args.rows, 1)),
                  .block = dim3(kThreads),
                  .stream = stream},
                 layer_norm_forward_kernel<decltype(type)>, args);
  });
}

int64_t layer_norm_workspace_bytes(int64_t rows, int64_t c) {
  return RowChunks(rows).count * 2 * c * static_cast<int64_t>(sizeof(double));
}

void layer_norm_backward(const LayerNormBackwardArgs& args, KernelStream stream) {
  const RowChunks chunks(args.rows);
  double* sums = static_cast<double*>(args.workspace);
  const bool sums_rows = args.dgamma != nullptr || args.dbeta != nullptr;
  for_dtype("layer_norm", args.dtype, [&](auto type) {
    using T = decltype(type);
    if (sums_rows) {  // before dx, which may overwrite dy
      simt::launch({.name = "layer_norm_params",
                    .grid = dim3(static_cast<unsigned>(ceil_div(args.c, kSumChannels)),
                                 static_cast<unsigned>(chunks.count)),
                    .block = dim3(kSumChannels, kSumRows),
                    .stream = stream},
                   layer_norm_params_kernel<T>, args, chunks, sums);
    }
    simt::launch({.name = "layer_norm_input",
                  .grid = dim3(blocks_for(args.rows, 1)),
                  .block = dim3(kThreads),
                  .stream = stream},
                 layer_norm_input_kernel<T>, args);
  });
  if (!sums_rows) return;
  simt::launch({.name = "layer_norm_add",
                .grid = dim3(blocks_for(2 * args.c)),
                .block = dim3(kThreads),
                .stream = stream},
               layer_norm_add_kernel, args.c, chunks.count, sums, args.dbeta, args.dgamma);
}

}  // namespace ebb::EBB_GPU_NAMESPACE
