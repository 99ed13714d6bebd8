#pragma once

#include <optional>
#include <string_view>

#include "base/dtype.h"

namespace ebb {

// Every element type of the safetensors format, version 0.8. ebb stores tensors in a few of them;
// the others can be listed, not loaded.
enum class StDType {
  kBool,
  kF4,
  kF6E2M3,
  kF6E3M2,
  kU8,
  kI8,
  kF8E5M2,
  kF8E4M3,
  kF8E8M0,
  kF8E4M3FNUZ,
  kF8E5M2FNUZ,
  kI16,
  kU16,
  kF16,
  kBF16,
  kI32,
  kU32,
  kF32,
  kC64,
  kF64,
  kI64,
  kU64,
};

// The name in the file: "F32", "F8_E4M3".
const char* to_string(StDType dtype);
std::optional<StDType> parse_st_dtype(std::string_view name);

// Bits of one element; F4 and F6 are packed without padding.
int bits_of(StDType dtype);

std::optional<DType> to_engine_dtype(StDType dtype);  // nothing for a type ebb cannot load
StDType to_st_dtype(DType dtype);

}  // namespace ebb
