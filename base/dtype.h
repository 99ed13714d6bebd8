#pragma once

#include <cstdint>
#include <string>

namespace ebb {

// Storage types of tensors. Sums are in f32 for all of them.
enum class DType { kF32, kBF16, kF16, kU8, kI32, kI64 };

constexpr int64_t size_of(DType dtype) {
  switch (dtype) {
    case DType::kF32:
    case DType::kI32:
      return 4;
    case DType::kBF16:
    case DType::kF16:
      return 2;
    case DType::kU8:
      return 1;
    case DType::kI64:
      return 8;
  }
  return 0;
}

// "f32", "bf16", "f16", "u8", "i32", "i64".
const char* to_string(DType dtype);

// IEEE half and bfloat16 <-> float, round to nearest even. NaN stays NaN.
float f16_to_f32(uint16_t bits);
uint16_t f32_to_f16(float value);
float bf16_to_f32(uint16_t bits);
uint16_t f32_to_bf16(float value);

}  // namespace ebb
