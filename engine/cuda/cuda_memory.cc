#include "engine/cuda/cuda_memory.h"

#include "base/error.h"
#include "base/text.h"
#include "engine/cuda/cuda_error.h"
#include "kernels/simt/scoped_device.h"

namespace ebb {
namespace {

// Null when there is no memory left; other failures throw.
void* checked(cudaError_t error, void* data, const char* call) {
  if (error == cudaErrorMemoryAllocation) {
    clear_cuda_error(error);
    return nullptr;
  }
  check_cuda(error, call, __FILE__, __LINE__);
  return data;
}

class CudaMemorySource final : public MemorySource {
 public:
  explicit CudaMemorySource(int device) : device_(device) {}

  void* acquire(int64_t bytes) override {
    const simt::ScopedDevice scope(device_);
    EBB_CHECK_CUDA(scope.error());
    void* data = nullptr;
    const cudaError_t error = cudaMalloc(&data, static_cast<size_t>(bytes));
    return checked(error, data, "cudaMalloc");
  }

  void give_back(void* data, int64_t) noexcept override {
    const simt::ScopedDevice scope(device_);
    EBB_CUDA_QUIETLY(cudaFree(data));
  }

  std::string describe() const override {
    const simt::ScopedDevice scope(device_);
    size_t free = 0, total = 0;
    if (cuda_is_lost() || cudaMemGetInfo(&free, &total) != cudaSuccess) {
      return cat("memory of cuda:", device_);
    }
    return cat("memory of cuda:", device_, " (", format_bytes(free), " free of ",
               format_bytes(total), ")");
  }

  std::optional<int64_t> available() const override {
    const simt::ScopedDevice scope(device_);
    size_t free = 0, total = 0;
    if (cuda_is_lost() || cudaMemGetInfo(&free, &total) != cudaSuccess) return {};
    return static_cast<int64_t>(free);
  }

 private:
  int device_;
};

class PinnedMemorySource final : public MemorySource {
 public:
  void* acquire(int64_t bytes) override {
    void* data = nullptr;
    const cudaError_t error = cudaMallocHost(&data, static_cast<size_t>(bytes));
    return checked(error, data, "cudaMallocHost");
  }
  void give_back(void* data, int64_t) noexcept override { EBB_CUDA_QUIETLY(cudaFreeHost(data)); }
  std::string describe() const override { return "pinned host memory"; }
};

}  // namespace

std::unique_ptr<MemorySource> cuda_memory_source(int device) {
  return std::make_unique<CudaMemorySource>(device);
}

std::unique_ptr<MemorySource> pinned_memory_source() {
  return std::make_unique<PinnedMemorySource>();
}

}  // namespace ebb
