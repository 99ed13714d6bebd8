#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "engine/context.h"

namespace ebb {

// --kernels: kDirect computes every convolution of the CPU as the plain sum of its products,
// without Winograd's transforms.
enum class KernelChoice { kDefault, kDirect };

struct ContextOptions {
  std::string device = "auto";            // "auto", "cpu", "cuda", "cuda:N" or "emu"
  int threads = 0;                        // CPU threads; 0: all the process may use
  Precision precision = Precision::kF32;  // beyond f32 the GPU's alone
  KernelChoice kernels = KernelChoice::kDefault;
  int64_t memory_limit = 0;        // bytes of tensors on the device at most; 0: what the device has
  DeviceProperties emulated = {};  // the GPU that "emu" stands for
  // Called with why "auto" is the CPU in a build with CUDA; null: not said.
  std::function<void(const std::string& remark)> on_remark = {};
};

// Contexts of one process know nothing of each other: each has its own device, precision and choice
// of kernels. Throws UsageError for a bad name or a precision that the device lacks, DeviceError
// for a device this build or machine lacks.
// "auto" is the first GPU where this build has CUDA and the machine a GPU, else the CPU.
std::unique_ptr<Context> make_context(const ContextOptions& options);

inline std::unique_ptr<Context> make_context(const std::string& device, int threads,
                                             Precision precision = Precision::kF32) {
  return make_context({.device = device, .threads = threads, .precision = precision});
}

// One line per device that --device can name, with the reason where it cannot be used here.
std::vector<std::string> list_devices();

}  // namespace ebb
