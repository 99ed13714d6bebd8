#include <cuda_runtime_api.h>

#include "engine/cuda/cuda_context.h"
#include "engine/cuda/cuda_error.h"
#include "tests/emulator/conformance.h"

namespace ebb {

std::string why_no_conformance_gpu() { return why_no_cuda_device(0).reason; }

int conformance_capability() {
  int major = 0, minor = 0;
  EBB_CHECK_CUDA(cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, 0));
  EBB_CHECK_CUDA(cudaDeviceGetAttribute(&minor, cudaDevAttrComputeCapabilityMinor, 0));
  return major * 10 + minor;
}

}  // namespace ebb
