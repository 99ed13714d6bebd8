#pragma once

#include <cuda_runtime_api.h>

namespace ebb {

// DeviceError when a CUDA call failed: call, place, CUDA's name and text for the error.
void check_cuda(cudaError_t error, const char* call, const char* file, int line);

// True after a sticky error, which CUDA returns from every later call of the process. Destructors
// then make no more calls.
bool cuda_is_lost();

// For destructors: makes the call unless the GPU is lost. An error is no one's to handle.
#define EBB_CUDA_QUIETLY(call)                                 \
  do {                                                         \
    if (!::ebb::cuda_is_lost()) ::ebb::clear_cuda_error(call); \
  } while (false)
// Forgets an error that is dealt with, or the next launch would report it. A sticky one stays.
void clear_cuda_error(cudaError_t error) noexcept;

}  // namespace ebb

#define EBB_CHECK_CUDA(call) ::ebb::check_cuda((call), #call, __FILE__, __LINE__)
