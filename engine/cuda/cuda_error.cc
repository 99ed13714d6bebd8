#include "engine/cuda/cuda_error.h"

#include <cstring>

#include "base/error.h"
#include "engine/cuda/availability.h"

namespace ebb {
namespace {

// "cudaMemcpyAsync" of "cudaMemcpyAsync(to, from, ...)".
std::string function_of(const char* call) { return std::string(call, std::strcspn(call, "(")); }

}  // namespace

bool cuda_is_lost() { return is_sticky_cuda_error(static_cast<int>(cudaPeekAtLastError())); }

void clear_cuda_error(cudaError_t error) noexcept {
  // A sticky error stays where cuda_is_lost() looks for it.
  if (error != cudaSuccess && !is_sticky_cuda_error(static_cast<int>(error))) cudaGetLastError();
}

void check_cuda(cudaError_t error, const char* call, const char* file, int line) {
  if (error == cudaSuccess) return;
  clear_cuda_error(error);
  const bool lost = is_sticky_cuda_error(static_cast<int>(error));
  throw DeviceError(cat("--device cuda: ", function_of(call), " (", file, ":", line,
                        ") failed with ", cudaGetErrorName(error), ", ", cudaGetErrorString(error),
                        lost ? ". The GPU's state is lost. Kernels run behind the program: with "
                               "EBB_SYNC_LAUNCH=1 the message names the one that failed"
                             : ""));
}

}  // namespace ebb
