#pragma once

#include <string>

#include "kernels/kernel_table.h"

namespace ebb {

// The CUDA backend's table with the vendor's convolutions: cuDNN's, cuBLAS's for linear layers. All
// else stays ours, so that a whole network compares convolutions alone. Only bench programs and
// tests link it.
//   kF32   products of f32 in f32. 16-bit types always run on tensor cores.
//   kTf32  products of f32 rounded to tf32
// A shape is tried with every algorithm of cuDNN when its workspace size is requested, and the
// fastest is kept. Null in builds without cuDNN.
enum class VendorMath { kF32, kTf32 };
const KernelTable* vendor_kernels(VendorMath math);

// "cuDNN 9.13.0, cuBLAS 13.0.2"; why there is none in builds without.
std::string vendor_version();

}  // namespace ebb
