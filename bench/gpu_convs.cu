#include "bench/gpu_convs.h"
#include "kernels/cuda/conv_plan.h"

namespace ebb {
namespace EBB_GPU_NAMESPACE {
namespace {

const char* kernel_name(const ConvGeometry& geometry, ConvPass pass, DType dtype) {
  switch (conv_algorithm(geometry, pass, dtype)) {
    case ConvAlgorithm::kNaive:
      return "naive";
    case ConvAlgorithm::kSimt:
      return "fp32 tiles";
    case ConvAlgorithm::kMma:
      return "mma.sync";
    case ConvAlgorithm::kWgmma:
      return "wgmma";
  }
  return "unknown";
}

constexpr GpuConvs kConvs = {
    .use_default = [] { set_conv_algorithms(ConvAlgorithms::kDefault); },
    .use_tf32 = [] { set_conv_algorithms(ConvAlgorithms::kTf32); },
    .use_hopper = [] { set_conv_algorithms(ConvAlgorithms::kHopper); },
    .kernel = kernel_name,
};

}  // namespace
}  // namespace EBB_GPU_NAMESPACE

#if defined(__CUDACC__)
const GpuConvs* cuda_convs() { return &cuda::kConvs; }
#else
const GpuConvs* emu_convs() { return &emu::kConvs; }
#endif

}  // namespace ebb
