#pragma once

namespace ebb::cpu {

// The instruction set that the vectorized kernels use on this machine, by Highway's name: "AVX3"
// (AVX-512), "AVX2", "EMU128" or "SCALAR".
const char* simd_name();

}  // namespace ebb::cpu
