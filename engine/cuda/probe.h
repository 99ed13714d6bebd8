#pragma once

#include <cuda_runtime_api.h>

namespace ebb {

// Whether this program holds code for the current GPU: cudaErrorNoKernelImageForDevice or
// cudaErrorUnsupportedPtxVersion when it does not.
cudaError_t find_kernel_image();

}  // namespace ebb
