#include "bench/vendor/widen.h"
#include "kernels/cuda/elements.h"
#include "kernels/cuda/grid.h"
#include "kernels/simt/simt.h"

namespace ebb {
namespace EBB_GPU_NAMESPACE {
namespace {

template <class T>
__global__ void __launch_bounds__(kThreads) widen_kernel(const T* from, int64_t count, float* to) {
  for (int64_t i = global_thread(); i < count; i += global_threads()) to[i] = to_float(from[i]);
}

}  // namespace
}  // namespace EBB_GPU_NAMESPACE

void widen(DType dtype, const void* from, int64_t count, float* to, KernelStream stream) {
  using namespace EBB_GPU_NAMESPACE;
  const simt::LaunchConfig config{
      .name = "widen", .grid = dim3(blocks_for(count)), .block = dim3(kThreads), .stream = stream};
  if (dtype == DType::kBF16) {
    simt::launch(config, widen_kernel<__nv_bfloat16>, static_cast<const __nv_bfloat16*>(from),
                 count, to);
  } else {
    simt::launch(config, widen_kernel<__half>, static_cast<const __half*>(from), count, to);
  }
}

}  // namespace ebb
