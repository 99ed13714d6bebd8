#include "kernels/cuda/elements.h"
#include "kernels/cuda/grid.h"
#include "kernels/pointwise/copy_rows.h"

namespace ebb::EBB_GPU_NAMESPACE {
namespace {

// threadIdx.x runs along the channels, threadIdx.y along the rows of a block.
template <class T, int kWidth>
__global__ void __launch_bounds__(kThreads) copy_rows_kernel(CopyRowsArgs args) {
  const T* x = static_cast<const T*>(args.x);
  T* y = static_cast<T*>(args.y);
  for (int64_t row = static_cast<int64_t>(blockIdx.x) * blockDim.y + threadIdx.y; row < args.rows;
       row += static_cast<int64_t>(gridDim.x) * blockDim.y) {
    const T* from = x + row % args.x_rows * args.x_pitch;
    T* to = y + row * args.y_pitch;
    for (int64_t c = threadIdx.x * kWidth; c < args.c; c += blockDim.x * kWidth) {
      store_pack<kWidth>(to + c, load_pack<kWidth>(from + c));
    }
  }
}

// The smallest power of two that covers `packs`, at most a warp.
unsigned threads_along(int64_t packs) {
  unsigned threads = 1;
  while (threads < 32 && threads < packs) threads *= 2;
  return threads;
}

}  // namespace

void copy_rows(const CopyRowsArgs& args, KernelStream stream) {
  for_dtype("copy_rows", args.dtype, [&](auto type) {
    using T = decltype(type);
    constexpr int kWidth = kPackWidth<T>;
    const bool vectorized = packs_fit(args.x, args.y) && args.c % kWidth == 0 &&
                            args.x_pitch % kWidth == 0 && args.y_pitch % kWidth == 0;
    const unsigned along = threads_along(vectorized ? args.c / kWidth : args.c);
    const unsigned rows = kThreads / along;
    simt::launch({.name = "copy_rows",
                  .grid = dim3(blocks_for(args.rows, static_cast<int>(rows))),
                  .block = dim3(along, rows),
                  .stream = stream},
                 vectorized ? copy_rows_kernel<T, kWidth> : copy_rows_kernel<T, 1>, args);
  });
}

}  // namespace ebb::EBB_GPU_NAMESPACE
