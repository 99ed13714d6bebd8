#include "engine/cuda/cuda_context.h"

#include <cuda_runtime_api.h>

#include <cstdlib>
#include <fstream>

#include "base/text.h"
#include "engine/cuda/availability.h"
#include "engine/cuda/cuda_error.h"
#include "engine/cuda/cuda_memory.h"
#include "engine/cuda/cuda_stream.h"
#include "engine/cuda/probe.h"
#include "kernels/kernel_table.h"
#include "kernels/simt/scoped_device.h"

namespace ebb {
namespace {

// "570.86.15" of /proc/driver/nvidia/version, whose first line names the module's version after
// "Kernel Module"; empty when the file is not there.
std::string kernel_module_version() {
  std::ifstream file("/proc/driver/nvidia/version");
  std::string word;
  bool after_module = false;
  while (file >> word) {
    if (after_module && word.find_first_of("0123456789") == 0) return word;
    if (word == "Module") after_module = true;
  }
  return "";
}

std::string error_text(cudaError_t error) {
  return cat(cudaGetErrorName(error), ", ", cudaGetErrorString(error));
}

// Creates the device's context and looks for a kernel that fits it.
void probe_device(CudaProbe& probe) {
  cudaDeviceProp properties{};
  cudaError_t error = cudaGetDeviceProperties(&properties, probe.wanted);
  if (error == cudaSuccess) {
    probe.name = properties.name;
    probe.capability = properties.major * 10 + properties.minor;
    probe.sm_count = properties.multiProcessorCount;
    const simt::ScopedDevice scope(probe.wanted);
    error = scope.error();
    if (error == cudaSuccess) error = cudaFree(nullptr);
    if (error == cudaSuccess) error = find_kernel_image();
  }
  if (error == cudaSuccess) return;
  probe.use_error = static_cast<int>(error);
  probe.error_text = error_text(error);
  clear_cuda_error(error);
}

CudaProbe probe_cuda(int wanted) {
  CudaProbe probe;
  probe.wanted = wanted;
  int count = 0;  // left alone when the call fails
  const cudaError_t error = cudaGetDeviceCount(&count);
  probe.count_error = static_cast<int>(error);
  probe.device_count = error == cudaSuccess ? count : 0;
  cudaRuntimeGetVersion(&probe.runtime_version);
  cudaDriverGetVersion(&probe.driver_version);
  const char* visible = std::getenv("CUDA_VISIBLE_DEVICES");
  probe.visible_is_set = visible != nullptr;
  if (visible != nullptr) probe.visible = visible;
  probe.module_version = kernel_module_version();
  if (error != cudaSuccess) {
    probe.error_text = error_text(error);
    clear_cuda_error(error);
  } else if (wanted < count) {
    probe_device(probe);
  }
  return probe;
}

std::string device_line(int index) {
  const CudaProbe probe = probe_cuda(index);
  const NoCuda why = why_no_cuda(probe, EBB_CUDA_ARCHITECTURES);
  if (!why.reason.empty()) return cat("cuda:", index, "  not available: ", why.reason);
  const simt::ScopedDevice scope(index);
  size_t free = 0, total = 0;
  EBB_CHECK_CUDA(cudaMemGetInfo(&free, &total));
  return cat("cuda:", index, "  ", probe.name, ", sm_", probe.capability, ", ", format_bytes(free),
             " free of ", format_bytes(total));
}

}  // namespace

NoCuda why_no_cuda_device(int device) {
  return why_no_cuda(probe_cuda(device), EBB_CUDA_ARCHITECTURES);
}

std::vector<std::string> list_cuda_devices() {
  int count = 0;
  const cudaError_t error = cudaGetDeviceCount(&count);
  if (error != cudaSuccess || count == 0) {
    clear_cuda_error(error);
    return {cat("cuda    not available: ", why_no_cuda_device(0).reason)};
  }
  std::vector<std::string> lines;
  for (int index = 0; index < count; ++index) lines.push_back(device_line(index));
  return lines;
}

std::unique_ptr<Context> make_cuda_context(int device, const ContextOptions& options) {
  const CudaProbe probe = probe_cuda(device);
  const NoCuda why = why_no_cuda(probe, EBB_CUDA_ARCHITECTURES);
  EBB_CHECK(why.reason.empty(), DeviceError, "--device cuda:", device, ": ", why.reason, ". ",
            why.advice, ", or use --device cpu");
  const ConvMath conv_math{.tf32 = options.precision == Precision::kTf32,
                           .wgmma = probe.capability == 90};
  const DeviceProperties properties{
      .index = device, .sm_count = probe.sm_count, .capability = probe.capability};
  auto stream = cuda_stream(device, options.threads);
  auto allocator = std::make_shared<CachingAllocator>(
      cuda_memory_source(device),
      options.memory_limit > 0 ? options.memory_limit : CachingAllocator::kNoLimit);
  return std::make_unique<Context>(Device{DeviceType::kCuda, device}, std::move(stream),
                                   std::move(allocator), cuda_kernels(), options.precision,
                                   conv_math, properties);
}

}  // namespace ebb
