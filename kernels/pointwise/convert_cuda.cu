#include "kernels/cuda/elements.h"
#include "kernels/cuda/grid.h"
#include "kernels/pointwise/convert.h"

namespace ebb::EBB_GPU_NAMESPACE {
namespace {

constexpr int kWidth = 8;  // elements per vectorized load: 16 bytes of 16-bit ones

template <class From, class To, int kCount>
SIMT_DEVICE void convert_step(const From* x, To* y) {
  const Pack<From, kCount> from = load_pack<kCount>(x);
  Pack<To, kCount> to;
#pragma unroll
  for (int e = 0; e < kCount; ++e) to.v[e] = from_float<To>(to_float(from.v[e]));
  store_pack<kCount>(y, to);
}

template <class From, class To>
__global__ void __launch_bounds__(kThreads)
    convert_kernel(int64_t count, bool vectorized, const From* x, To* y) {
  const int64_t packs = vectorized ? count / kWidth : 0;
  for (int64_t i = global_thread(); i < packs; i += global_threads()) {
    convert_step<From, To, kWidth>(x + i * kWidth, y + i * kWidth);
  }
  for (int64_t i = packs * kWidth + global_thread(); i < count; i += global_threads()) {
    convert_step<From, To, 1>(x + i, y + i);
  }
}

// A pack of f32 is 32 bytes.
bool vectors_fit(const void* x, const void* y) {
  return (reinterpret_cast<uintptr_t>(x) | reinterpret_cast<uintptr_t>(y)) % 32 == 0;
}

}  // namespace

void convert(const ConvertArgs& args, KernelStream stream) {
  for_dtype("convert", args.from, [&](auto from) {
    for_dtype("convert", args.to, [&](auto to) {
      using From = decltype(from);
      using To = decltype(to);
      const bool vectorized = vectors_fit(args.x, args.y);
      simt::launch(
          {.name = "convert",
           .grid = dim3(blocks_for(vectorized ? ceil_div(args.count, kWidth) : args.count)),
           .block = dim3(kThreads),
           .stream = stream},
          convert_kernel<From, To>, args.count, vectorized, static_cast<const From*>(args.x),
          static_cast<To*>(args.y));
    });
  });
}

}  // namespace ebb::EBB_GPU_NAMESPACE
