#pragma once

#include <string>

namespace ebb {

// Results of the calls to CUDA's runtime and driver that look for a GPU. Plain numbers, so that the
// diagnosis can be tested without a GPU. Error codes are those of cudaError_t.
struct CudaProbe {
  int count_error = 0;      // of cudaGetDeviceCount
  int device_count = 0;     // meaningful when count_error is 0
  int runtime_version = 0;  // 13000 is CUDA 13.0
  int driver_version = 0;   // newest CUDA the driver supports; 0: no driver
  std::string error_text;   // "cudaErrorNoDevice: no CUDA-capable device is detected"
  std::string visible;      // CUDA_VISIBLE_DEVICES
  bool visible_is_set = false;
  std::string module_version;  // of the kernel module, empty when unknown
  // The requested device, if it exists:
  int wanted = 0;
  int use_error = 0;   // of creating its context and finding a kernel for it
  int capability = 0;  // 90 is 9.0
  int sm_count = 0;    // streaming multiprocessors
  std::string name;    // "NVIDIA H100 80GB HBM3"
};

// Error codes the diagnosis knows.
inline constexpr int kCudaInsufficientDriver = 35, kCudaDevicesUnavailable = 46,
                     kCudaNoDevice = 100, kCudaNoKernelImage = 209, kCudaUnsupportedPtx = 222,
                     kCudaSystemNotReady = 802, kCudaDriverMismatch = 803;

// Why a GPU cannot be used, and what to do about it. An empty reason: it can be used.
struct NoCuda {
  std::string reason, advice;
};

// built_for: "80, 90a, 120".
NoCuda why_no_cuda(const CudaProbe& probe, const std::string& built_for);

// After these errors every further CUDA call of the process fails: do not use the GPU, and what lay
// in its memory is lost.
bool is_sticky_cuda_error(int error);

// "13.0" of 13000.
std::string cuda_version_text(int version);

}  // namespace ebb
