#pragma once

#include <cuda_runtime_api.h>

namespace ebb::simt {

// Makes a GPU the current one of this thread and restores the one before. CUDA runs launches,
// allocations and new streams and events on the current GPU, which belongs to the program that
// embeds ebb: ebb leaves it as it found it.
class ScopedDevice {
 public:
  explicit ScopedDevice(int device) noexcept {
    error_ = cudaGetDevice(&previous_);
    if (error_ != cudaSuccess || previous_ == device) return;
    error_ = cudaSetDevice(device);
    changed_ = error_ == cudaSuccess;
  }
  ~ScopedDevice() {
    if (changed_) cudaSetDevice(previous_);
  }
  ScopedDevice(const ScopedDevice&) = delete;
  ScopedDevice& operator=(const ScopedDevice&) = delete;

  // The result of selecting the GPU; if it is an error, the next CUDA call fails, too.
  cudaError_t error() const { return error_; }

 private:
  int previous_ = 0;
  bool changed_ = false;
  cudaError_t error_ = cudaSuccess;
};

}  // namespace ebb::simt
