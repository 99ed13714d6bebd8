#include "kernels/cuda/elements.h"
#include "kernels/cuda/grid.h"
#include "kernels/cuda/reduce.h"
#include "kernels/embedding/embedding.h"

namespace ebb::EBB_GPU_NAMESPACE {
namespace {

// Blocks along y take rows in turn.
template <class T, int kWidth>
__global__ void __launch_bounds__(kThreads) embedding_kernel(EmbeddingArgs args) {
  for (int64_t i = blockIdx.y; i < args.count; i += gridDim.y) {
    const int64_t id = args.ids[i];
    const bool known = id >= 0 && id < args.entries;
    const T* row = static_cast<const T*>(args.table) + (known ? id : 0) * args.c;
    T* y = static_cast<T*>(args.y) + i * args.c;
    for (int64_t c = global_thread() * kWidth; c < args.c; c += global_threads() * kWidth) {
      Pack<T, kWidth> v;
      if (known) {
        v = load_pack<kWidth>(row + c);
      } else {
        for (int e = 0; e < kWidth; ++e) v.v[e] = from_float<T>(__int_as_float(0x7fc00000));
      }
      store_pack<kWidth>(y + c, v);
    }
  }
}

// Blocks along y take rows of the table in turn; a lane owns a channel. A warp looks at 32 ids at
// once and visits those that name its row, in order.
template <class T>
__global__ void __launch_bounds__(kThreads) embedding_backward_kernel(EmbeddingBackwardArgs args) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const int64_t c = global_thread();
  for (int64_t row = blockIdx.y; row < args.entries; row += gridDim.y) {
    float sum = 0;
    for (int64_t i0 = 0; i0 < args.count; i0 += 32) {
      const bool named = i0 + lane < args.count && args.ids[i0 + lane] == row;
      for (unsigned left = __ballot_sync(kAllLanes, named); left != 0; left &= left - 1) {
        const int64_t i = i0 + __ffs(static_cast<int>(left)) - 1;
        if (c < args.c) sum += to_float(static_cast<const T*>(args.dy)[i * args.c + c]);
      }
    }
    if (c < args.c) args.dtable[row * args.c + c] = sum;
  }
}

__global__ void __launch_bounds__(kThreads) timestep_embedding_kernel(TimestepEmbeddingArgs args) {
  const int64_t half = args.c / 2;
  for (int64_t n = blockIdx.y; n < args.n; n += gridDim.y) {
    float* y = args.y + n * args.c;
    for (int64_t i = global_thread(); i < half; i += global_threads()) {
      const double exponent = static_cast<double>(i) / (static_cast<double>(half) - args.shift);
      const double angle = args.t[n] * exp(-log(args.max_period) * exponent);
      y[args.sin_first ? half + i : i] = static_cast<float>(cos(angle));
      y[args.sin_first ? i : half + i] = static_cast<float>(sin(angle));
    }
    if (args.c % 2 == 1 && global_thread() == 0) y[args.c - 1] = 0;
  }
}

}  // namespace

void embedding(const EmbeddingArgs& args, KernelStream stream) {
  for_dtype("embedding", args.dtype, [&](auto type) {
    using T = decltype(type);
    constexpr int kWidth = kPackWidth<T>;
    const bool vectorized = packs_fit(args.table, args.y) && args.c % kWidth == 0;
    simt::launch(
        {.name = "embedding",
         .grid = dim3(blocks_for(vectorized ? args.c / kWidth : args.c), rows_for(args.count)),
         .block = dim3(kThreads),
         .stream = stream},
        vectorized ? embedding_kernel<T, kWidth> : embedding_kernel<T, 1>, args);
  });
}

void embedding_backward(const EmbeddingBackwardArgs& args, KernelStream stream) {
  for_dtype("embedding", args.dtype, [&](auto type) {
    using T = decltype(type);
    simt::launch(
        {.name = "embedding_backward",
         .grid = dim3(static_cast<unsigned>(ceil_div(args.c, kThreads)), rows_for(args.entries)),
         .block = dim3(kThreads),
         .stream = stream},
        embedding_backward_kernel<T>, args);
  });
}

void timestep_embedding(const TimestepEmbeddingArgs& args, KernelStream stream) {
  simt::launch({.name = "timestep_embedding",
                .grid = dim3(blocks_for(std::max<int64_t>(args.c / 2, 1)), rows_for(args.n)),
                .block = dim3(kThreads),
                .stream = stream},
               timestep_embedding_kernel, args);
}

}  // namespace ebb::EBB_GPU_NAMESPACE
