#include "engine/backend.h"

#include <omp.h>

namespace ebb {
namespace {

std::unique_ptr<Context> make_cpu_context(int threads) {
  auto allocator = std::make_shared<CachingAllocator>(host_memory_source());
  const StreamHandle stream{nullptr, threads == 0 ? available_threads() : threads};
  return std::make_unique<Context>(Device{DeviceType::kCpu, 0}, stream, std::move(allocator),
                                   cpu_kernels());
}

}  // namespace

int available_threads() { return omp_get_max_threads(); }

std::unique_ptr<Context> make_context(const std::string& device, int threads) {
  EBB_CHECK(threads >= 0 && threads <= 1024, UsageError, "--threads ", threads,
            ": must be 0..1024 (0 = all)");
  if (device == "auto") return make_cpu_context(threads);
  switch (parse_device(device).type) {
    case DeviceType::kCpu:
      return make_cpu_context(threads);
    case DeviceType::kCuda:
      throw DeviceError(
          cat("--device ", device, ": this build has no CUDA backend. Use --device cpu"));
    case DeviceType::kEmu:
      throw DeviceError("--device emu: this build has no kernel emulator. Use --device cpu");
  }
  throw UsageError(cat("--device ", device, ": unknown device"));
}

}  // namespace ebb
