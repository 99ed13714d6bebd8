#pragma once

namespace ebb {

// What a kernel is told about where it runs.
struct KernelStream {
  void* native = nullptr;  // cudaStream_t; null on the CPU
  int threads = 1;         // CPU threads; results never depend on their number
};

}  // namespace ebb
