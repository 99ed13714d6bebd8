#pragma once

#include <string>

#include "base/dtype.h"

namespace ebb {

// Precision of network computations. Sums, statistics, losses and weights are always f32;
// convolutions round weights when they pack them.
//   kF32         everything is f32
//   kTf32        activations are f32, and tensor cores round what they multiply to 10 bits of
//                mantissa
//   kBF16, kF16  activations and their gradients have 16 bits
enum class Precision { kF32, kTf32, kBF16, kF16 };

// "f32", "tf32", "bf16", "f16".
const char* to_string(Precision precision);
// Reads it back; anything else throws UsageError.
Precision parse_precision(const std::string& text);

DType activation_dtype(Precision precision);

}  // namespace ebb
