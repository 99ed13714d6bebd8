#pragma once

// Elementwise kernels: y[i] = f(i, a[i]) or f(i, a[i], b[i]).

#include "kernels/cuda/elements.h"
#include "kernels/cuda/grid.h"

namespace ebb::EBB_GPU_NAMESPACE {

template <int kWidth, class T, class F>
SIMT_DEVICE void map_step(int64_t i, const F& f, const T* a, const T* b, T* y) {
  const Pack<T, kWidth> pa = load_pack<kWidth>(a + i);
  Pack<T, kWidth> result;
  if constexpr (F::kInputs == 2) {
    const Pack<T, kWidth> pb = load_pack<kWidth>(b + i);
    for (int k = 0; k < kWidth; ++k) {
      result.v[k] = from_float<T>(f(to_float(pa.v[k]), to_float(pb.v[k])));
    }
  } else {
    for (int k = 0; k < kWidth; ++k) result.v[k] = from_float<T>(f(to_float(pa.v[k])));
  }
  store_pack<kWidth>(y + i, result);
}

// y may be a or b.
template <int kWidth, class T, class F>
__global__ void __launch_bounds__(kThreads)
    map_kernel(int64_t count, F f, const T* a, const T* b, T* y) {
  const int64_t packs = count / kWidth;
  for (int64_t i = global_thread(); i < packs; i += global_threads()) {
    map_step<kWidth>(i * kWidth, f, a, b, y);
  }
  for (int64_t i = packs * kWidth + global_thread(); i < count; i += global_threads()) {
    map_step<1>(i, f, a, b, y);
  }
}

// Launches map_kernel. F: kInputs and operator(). b is null when kInputs is 1.
template <class T, class F>
void map(const char* name, KernelStream stream, int64_t count, const F& f, const T* a, const T* b,
         T* y) {
  constexpr int kWidth = kPackWidth<T>;
  const bool vectorized = packs_fit(a, b, y);
  const int64_t work = vectorized ? ceil_div(count, kWidth) : count;
  simt::launch(
      {.name = name, .grid = dim3(blocks_for(work)), .block = dim3(kThreads), .stream = stream},
      vectorized ? map_kernel<kWidth, T, F> : map_kernel<1, T, F>, count, f, a, b, y);
}

}  // namespace ebb::EBB_GPU_NAMESPACE
