#include "engine/cuda/cuda_error.h"

#include <atomic>
#include <cstring>

#include "base/error.h"
#include "engine/cuda/availability.h"

namespace ebb {
namespace {

std::atomic<bool> lost{false};

// "cudaMemcpyAsync" of "cudaMemcpyAsync(to, from, ...)".
std::string function_of(const char* call) { return std::string(call, std::strcspn(call, "(")); }

}  // namespace

bool cuda_is_lost() { return lost; }

void note_cuda_error(cudaError_t error) noexcept {
  if (error == cudaSuccess) return;
  if (is_sticky_cuda_error(static_cast<int>(error))) {
    lost = true;
  } else {
    cudaGetLastError();  // or the next launch would report it
  }
}

void check_cuda(cudaError_t error, const char* call, const char* file, int line) {
  if (error == cudaSuccess) return;
  note_cuda_error(error);
  throw DeviceError(cat("--device cuda: ", function_of(call), " (", file, ":", line,
                        ") failed with ", cudaGetErrorName(error), ", ", cudaGetErrorString(error),
                        lost ? ". The GPU's state is lost. Kernels run behind the program: with "
                               "EBB_SYNC_LAUNCH=1 the message names the one that failed"
                             : ""));
}

}  // namespace ebb
