#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace ebb {

// A primitive of kernels/simt/simt.h run once on fixed operands: what it leaves in memory, byte for
// byte, has to be the same on the emulator and on a GPU. Operands are integers where products are
// summed, so that no order of a sum shows.
struct ConformanceCase {
  std::string group;  // "threads", "copies", "tensor cores", "tma", "wgmma"
  std::string name;
  bool needs_hopper;  // compute capability 9.0
  std::function<std::vector<uint8_t>()> run;
};

std::vector<ConformanceCase> emu_conformance_cases();
std::vector<ConformanceCase> cuda_conformance_cases();  // in builds with CUDA

// Why no GPU can run them, empty when one can; the GPU's compute capability, 90 for 9.0.
std::string why_no_conformance_gpu();
int conformance_capability();

}  // namespace ebb
