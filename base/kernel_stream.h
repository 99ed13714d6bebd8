#pragma once

namespace ebb {

// The convolution kernels that may run. Results and packed weights depend on it: weights packed
// under one choice are not valid under another.
struct ConvMath {
  bool winograd = true;  // CPU: Winograd's transforms and dot products where they pay, else direct
  bool tf32 = false;     // GPU: tensor cores for f32, rounded to 10 bits of mantissa
  bool wgmma = false;    // GPU: for 16 bits the instructions of compute capability 9.0
  bool naive = false;    // GPU: one loop per output element, for reference

  friend bool operator==(const ConvMath&, const ConvMath&) = default;
};

// A GPU, emulated or not. Tile sizes follow it; no result does.
struct DeviceProperties {
  int index = 0;        // cuda:index
  int sm_count = 132;   // streaming multiprocessors
  int capability = 80;  // 90 is compute capability 9.0
};

// The stream, device and choice of kernels, as every kernel receives them.
struct KernelStream {
  void* native = nullptr;  // cudaStream_t; null on the CPU
  int threads = 1;         // CPU threads; results never depend on their number
  ConvMath conv_math = {};
  DeviceProperties device = {};
};

}  // namespace ebb
