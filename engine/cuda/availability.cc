#include "engine/cuda/availability.h"

#include <algorithm>
#include <array>

#include "base/error.h"

namespace ebb {
namespace {

// The reasons that concern the whole machine.
NoCuda why_no_driver(const CudaProbe& probe) {
  switch (probe.count_error) {
    case 0:
    case kCudaNoDevice:  // reported with the devices
      return {};
    case kCudaInsufficientDriver:
      if (probe.driver_version == 0) return {"no NVIDIA driver", "Install one"};
      return {cat("the driver supports CUDA ", cuda_version_text(probe.driver_version),
                  ", this program needs ", cuda_version_text(probe.runtime_version)),
              "Install a newer driver"};
    case kCudaSystemNotReady:
    case kCudaDriverMismatch:
      return {cat("driver and library versions differ: kernel module ",
                  probe.module_version.empty() ? "unknown" : probe.module_version,
                  ", user library for CUDA ", cuda_version_text(probe.driver_version)),
              "Reboot, or reload the kernel module"};
    default:
      return {cat("the CUDA runtime failed with ", probe.error_text), "Look at nvidia-smi"};
  }
}

NoCuda why_no_device(const CudaProbe& probe) {
  if (probe.count_error == kCudaNoDevice || probe.device_count <= 0) {
    const std::string visible =
        probe.visible_is_set ? cat("'", probe.visible, "'") : std::string("not set");
    return {cat("driver found, no GPU visible, CUDA_VISIBLE_DEVICES is ", visible),
            "Make a GPU visible"};
  }
  if (probe.wanted < probe.device_count) return {};
  return {cat("this machine shows ", probe.device_count, " GPU", probe.device_count == 1 ? "" : "s",
              ", the last is cuda:", probe.device_count - 1),
          "Choose another number"};
}

NoCuda why_not_usable(const CudaProbe& probe, const std::string& built_for) {
  switch (probe.use_error) {
    case 0:
      return {};
    case kCudaNoKernelImage:
    case kCudaUnsupportedPtx:
      return {cat("built for sm_", built_for, "; ", probe.name, " is sm_", probe.capability),
              cat("Build with -DCMAKE_CUDA_ARCHITECTURES=", probe.capability)};
    case kCudaDevicesUnavailable:
      return {cat(probe.name, " is in exclusive use by another process"),
              "Wait, or use another GPU"};
    default:
      return {cat(probe.name, " failed with ", probe.error_text), "Look at nvidia-smi"};
  }
}

}  // namespace

std::string cuda_version_text(int version) { return cat(version / 1000, ".", version % 1000 / 10); }

NoCuda why_no_cuda(const CudaProbe& probe, const std::string& built_for) {
  if (NoCuda why = why_no_driver(probe); !why.reason.empty()) return why;
  if (NoCuda why = why_no_device(probe); !why.reason.empty()) return why;
  return why_not_usable(probe, built_for);
}

// cudaErrorECCUncorrectable 214, IllegalAddress 700, LaunchTimeout 702, Assert 710,
// HardwareStackError 714, IllegalInstruction 715, MisalignedAddress 716, InvalidAddressSpace 717,
// InvalidPc 718, LaunchFailure 719.
bool is_sticky_cuda_error(int error) {
  constexpr std::array kSticky = {214, 700, 702, 710, 714, 715, 716, 717, 718, 719};
  return std::find(kSticky.begin(), kSticky.end(), error) != kSticky.end();
}

}  // namespace ebb
