#pragma once

#include <cstdint>
#include <vector>

#include "base/dtype.h"

namespace ebb::test {

// Values as a kernel stores them in 16 bits, and back.
inline std::vector<uint16_t> to_storage(const std::vector<float>& values, DType dtype) {
  std::vector<uint16_t> bits;
  for (float v : values) bits.push_back(dtype == DType::kF16 ? f32_to_f16(v) : f32_to_bf16(v));
  return bits;
}
inline std::vector<float> from_storage(const std::vector<uint16_t>& bits, DType dtype) {
  std::vector<float> values;
  for (uint16_t b : bits) values.push_back(dtype == DType::kF16 ? f16_to_f32(b) : bf16_to_f32(b));
  return values;
}
// The values as they are after storing them.
inline std::vector<float> rounded(const std::vector<float>& values, DType dtype) {
  return dtype == DType::kF32 ? values : from_storage(to_storage(values, dtype), dtype);
}
// Unit roundoff of a storage type.
constexpr double roundoff(DType dtype) {
  return dtype == DType::kF32 ? 0x1p-24 : dtype == DType::kF16 ? 0x1p-11 : 0x1p-8;
}

}  // namespace ebb::test
