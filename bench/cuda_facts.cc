#include "bench/cuda_facts.h"

#include <cuda_runtime_api.h>

#include "engine/cuda/availability.h"
#include "engine/cuda/cuda_error.h"

namespace ebb {

CudaFacts cuda_facts(int device) {
  CudaFacts facts;
  cudaDeviceProp properties{};
  EBB_CHECK_CUDA(cudaGetDeviceProperties(&properties, device));
  facts.name = properties.name;
  facts.capability = properties.major * 10 + properties.minor;
  facts.multiprocessors = properties.multiProcessorCount;
  facts.l2_mb = properties.l2CacheSize * 1e-6;
  int kilohertz = 0, driver = 0, runtime = 0;
  EBB_CHECK_CUDA(cudaDeviceGetAttribute(&kilohertz, cudaDevAttrClockRate, device));
  EBB_CHECK_CUDA(cudaDriverGetVersion(&driver));
  EBB_CHECK_CUDA(cudaRuntimeGetVersion(&runtime));
  facts.clock_mhz = kilohertz * 1e-3;
  facts.driver = cuda_version_text(driver);
  facts.runtime = cuda_version_text(runtime);
  return facts;
}

void select_gpu(int device) { EBB_CHECK_CUDA(cudaSetDevice(device)); }

}  // namespace ebb
