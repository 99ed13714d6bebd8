#include "engine/cuda/probe.h"

namespace ebb {
namespace {

__global__ void probe_kernel() {}

}  // namespace

cudaError_t find_kernel_image() {
  cudaFuncAttributes attributes;
  return cudaFuncGetAttributes(&attributes, probe_kernel);
}

}  // namespace ebb
