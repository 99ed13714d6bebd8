#include "kernels/cuda/elements.h"
#include "kernels/cuda/grid.h"
#include "kernels/cuda/reduce.h"
#include "kernels/norm/rms_norm.h"
#include "kernels/norm/row_chunks.h"

namespace ebb::EBB_GPU_NAMESPACE {
namespace {

// One block per row. y may be x.
template <class T>
__global__ void __launch_bounds__(kThreads) rms_norm_forward_kernel(RmsNormForwardArgs args) {
  for (int64_t row = blockIdx.x; row < args.rows; row += gridDim.x) {
    const T* x = static_cast<const T*>(args.x) + row * args.c;
    T* y = static_cast<T*>(args.y) + row * args.c;
    double squares = 0;
    for (int64_t c = threadIdx.x; c < args.c; c += kThreads) {
      const double value = to_float(x[c]);
      squares += value * value;
    }
    const double mean = block_sum<kThreads>(squares) / static_cast<double>(args.c);
    const float rstd = static_cast<float>(1 / sqrt(mean + args.eps));
    for (int64_t c = threadIdx.x; c < args.c; c += kThreads) {
      y[c] = from_float<T>(to_float(x[c]) * rstd * args.gamma[c]);
    }
    if (args.rstd != nullptr && threadIdx.x == 0) args.rstd[row] = rstd;
  }
}

// dx, one block per row. dx may be dy.
template <class T>
__global__ void __launch_bounds__(kThreads) rms_norm_input_kernel(RmsNormBackwardArgs args) {
  for (int64_t row = blockIdx.x; row < args.rows; row += gridDim.x) {
    const T* x = static_cast<const T*>(args.x) + row * args.c;
    const T* dy = static_cast<const T*>(args.dy) + row * args.c;
    T* dx = static_cast<T*>(args.dx) + row * args.c;
    const float rstd = args.rstd[row];
    double products = 0;
    for (int64_t c = threadIdx.x; c < args.c; c += kThreads) {
      products += static_cast<double>(to_float(dy[c])) * (to_float(x[c]) * rstd) * args.gamma[c];
    }
    const float mean =
        static_cast<float>(block_sum<kThreads>(products) / static_cast<double>(args.c));
    for (int64_t c = threadIdx.x; c < args.c; c += kThreads) {
      const float g = to_float(dy[c]) * args.gamma[c];
      dx[c] = from_float<T>(rstd * (g - to_float(x[c]) * rstd * mean));
    }
  }
}

constexpr int kSumChannels = 32, kSumRows = 8;

// sums[chunk, c] of dy * xh. threadIdx.x: channel, threadIdx.y: every 8th row of the chunk.
template <class T>
__global__ void __launch_bounds__(kSumChannels* kSumRows)
    rms_norm_gamma_kernel(RmsNormBackwardArgs args, RowChunks chunks, double* sums) {
  SIMT_SHARED(double, partial, [kSumRows][kSumChannels]);
  const int64_t c = int64_t{blockIdx.x} * kSumChannels + threadIdx.x;
  const int64_t first = blockIdx.y * chunks.rows_of_one;
  const int64_t last = min(first + chunks.rows_of_one, args.rows);
  double sum = 0;
  if (c < args.c) {
    for (int64_t row = first + threadIdx.y; row < last; row += kSumRows) {
      const int64_t i = row * args.c + c;
      sum += static_cast<double>(to_float(static_cast<const T*>(args.dy)[i])) *
             (to_float(static_cast<const T*>(args.x)[i]) * args.rstd[row]);
    }
  }
  partial[threadIdx.y][threadIdx.x] = sum;
  __syncthreads();
  if (threadIdx.y != 0 || c >= args.c) return;
  for (int row = 1; row < kSumRows; ++row) sum += partial[row][threadIdx.x];
  sums[blockIdx.y * args.c + c] = sum;
}

__global__ void __launch_bounds__(kThreads)
    rms_norm_add_kernel(int64_t channels, int64_t chunks, const double* sums, float* dgamma) {
  for (int64_t c = global_thread(); c < channels; c += global_threads()) {
    double sum = 0;
    for (int64_t chunk = 0; chunk < chunks; ++chunk) sum += sums[chunk * channels + c];
    dgamma[c] = static_cast<float>(sum);
  }
}

}  // namespace

void rms_norm_forward(const RmsNormForwardArgs& args, KernelStream stream) {
  for_dtype("rms_norm", args.dtype, [&](auto type) {
    simt::launch({.name = "rms_norm_forward",
                  .grid = dim3(blocks_for(args.rows, 1)),
                  .block = dim3(kThreads),
                  .stream = stream},
                 rms_norm_forward_kernel<decltype(type)>, args);
  });
}

int64_t rms_norm_workspace_bytes(int64_t rows, int64_t c) {
  return RowChunks(rows).count * c * static_cast<int64_t>(sizeof(double));
}

void rms_norm_backward(const RmsNormBackwardArgs& args, KernelStream stream) {
  const RowChunks chunks(args.rows);
  double* sums = static_cast<double*>(args.workspace);
  for_dtype("rms_norm", args.dtype, [&](auto type) {
    using T = decltype(type);
    // Before dx, which may overwrite dy.
    simt::launch({.name = "rms_norm_gamma",
                  .grid = dim3(static_cast<unsigned>(ceil_div(args.c, kSumChannels)),
                               static_cast<unsigned>(chunks.count)),
                  .block = dim3(kSumChannels, kSumRows),
                  .stream = stream},
                 rms_norm_gamma_kernel<T>, args, chunks, sums);
    simt::launch({.name = "rms_norm_input",
                  .grid = dim3(blocks_for(args.rows, 1)),
                  .block = dim3(kThreads),
                  .stream = stream},
                 rms_norm_input_kernel<T>, args);
  });
  simt::launch({.name = "rms_norm_add",
                .grid = dim3(blocks_for(args.c)),
                .block = dim3(kThreads),
                .stream = stream},
               rms_norm_add_kernel, args.c, chunks.count, sums, args.dgamma);
}

}  // namespace ebb::EBB_GPU_NAMESPACE
