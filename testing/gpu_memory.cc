#include <cuda_runtime_api.h>

#include <cstdlib>
#include <map>
#include <string>
#include <vector>

#include "base/error.h"
#include "engine/cuda/cuda_context.h"
#include "engine/cuda/cuda_error.h"
#include "testing/device_memory.h"

namespace ebb::test {
namespace {

class GpuMemory final : public DeviceMemory {
 public:
  GpuMemory() {
    const NoCuda why = why_no_cuda_device(0);
    EBB_CHECK(why.reason.empty(), DeviceError, "EBB_TEST_DEVICE=cuda: ", why.reason, ". ",
              why.advice);
  }

  // Guards of known bytes before and behind.
  void* allocate(size_t bytes) override {
    void* block = nullptr;
    EBB_CHECK_CUDA(cudaMalloc(&block, bytes + 2 * kGuard));
    char* const data = static_cast<char*>(block) + kGuard;
    EBB_CHECK_CUDA(cudaMemset(block, kGuardByte, bytes + 2 * kGuard));
    sizes_[data] = bytes;
    poison(data, bytes);
    return data;
  }
  void release(void* data) override {
    const auto found = sizes_.find(data);
    EBB_CUDA_QUIETLY(cudaFree(static_cast<char*>(data) - kGuard));
    sizes_.erase(found);
  }
  void write(void* to, const void* from, size_t bytes) override {
    EBB_CHECK_CUDA(cudaMemcpy(to, from, bytes, cudaMemcpyHostToDevice));
  }
  void read(void* to, const void* from, size_t bytes) override {
    EBB_CHECK_CUDA(cudaMemcpy(to, from, bytes, cudaMemcpyDeviceToHost));
  }
  void poison(void* data, size_t bytes) override { EBB_CHECK_CUDA(cudaMemset(data, 0xff, bytes)); }

  // Blocks run as they like: twice shows a result that depends on it, if not always.
  int runs() const override { return 2; }
  void run(int, const std::function<void()>& launch) override {
    launch();
    EBB_CHECK_CUDA(cudaDeviceSynchronize());
    for (const auto& [data, bytes] : sizes_) check_guards(data, bytes);
  }

 private:
  static constexpr size_t kGuard = 256;
  static constexpr int kGuardByte = 0xa5;

  void check_guards(void* data, size_t bytes) {
    std::vector<unsigned char> guard(kGuard);
    for (const char* at : {static_cast<char*>(data) - kGuard, static_cast<char*>(data) + bytes}) {
      read(guard.data(), at, kGuard);
      for (const unsigned char byte : guard) {
        EBB_CHECK(byte == kGuardByte, Error, "a kernel wrote outside an array of ", bytes,
                  " bytes");
      }
    }
  }

  std::map<void*, size_t> sizes_;
};

}  // namespace

DeviceMemory& gpu_memory() {
  static GpuMemory memory;
  return memory;
}

bool gpu_is_wanted() {
  const char* const device = std::getenv("EBB_TEST_DEVICE");
  return device != nullptr && std::string(device) == "cuda";
}

}  // namespace ebb::test
