#pragma once

#include <bit>
#include <cstdint>

#include "base/dtype.h"

// Bits of a register -> the number that a tensor core takes them for.
namespace ebb::simt::engine {

inline float from_bf16(uint32_t bits) { return bf16_to_f32(static_cast<uint16_t>(bits)); }
inline float from_f16(uint32_t bits) { return f16_to_f32(static_cast<uint16_t>(bits)); }
// The low 13 bits of a tf32 register are not looked at.
inline float from_tf32(uint32_t bits) { return std::bit_cast<float>(bits & 0xffffe000u); }

}  // namespace ebb::simt::engine
