#pragma once

#include "kernels/conv.h"

namespace ebb {

// Which of the CUDA convolutions run, as kernels/cuda/conv_plan.h chooses, for code that is no
// CUDA.
struct GpuConvs {
  void (*use_default)();
  void (*use_tf32)();
  void (*use_hopper)();  // wgmma: compute capability 9.0 and the emulator
  const char* (*kernel)(const ConvGeometry&, ConvPass, DType);  // "mma.sync"
};
const GpuConvs* cuda_convs();  // null in builds without CUDA
const GpuConvs* emu_convs();   // null in builds without the emulator

}  // namespace ebb
