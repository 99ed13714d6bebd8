#include "weights/st_dtype.h"

#include <algorithm>
#include <array>

namespace ebb {
namespace {

struct DTypeInfo {
  StDType dtype;
  const char* name;
  int bits;
};

// In the order of the enumeration.
constexpr std::array<DTypeInfo, 22> kInfos = {{
    {StDType::kBool, "BOOL", 8},
    {StDType::kF4, "F4", 4},
    {StDType::kF6E2M3, "F6_E2M3", 6},
    {StDType::kF6E3M2, "F6_E3M2", 6},
    {StDType::kU8, "U8", 8},
    {StDType::kI8, "I8", 8},
    {StDType::kF8E5M2, "F8_E5M2", 8},
    {StDType::kF8E4M3, "F8_E4M3", 8},
    {StDType::kF8E8M0, "F8_E8M0", 8},
    {StDType::kF8E4M3FNUZ, "F8_E4M3FNUZ", 8},
    {StDType::kF8E5M2FNUZ, "F8_E5M2FNUZ", 8},
    {StDType::kI16, "I16", 16},
    {StDType::kU16, "U16", 16},
    {StDType::kF16, "F16", 16},
    {StDType::kBF16, "BF16", 16},
    {StDType::kI32, "I32", 32},
    {StDType::kU32, "U32", 32},
    {StDType::kF32, "F32", 32},
    {StDType::kC64, "C64", 64},
    {StDType::kF64, "F64", 64},
    {StDType::kI64, "I64", 64},
    {StDType::kU64, "U64", 64},
}};

constexpr bool in_enum_order() {
  for (size_t i = 0; i < kInfos.size(); ++i) {
    if (static_cast<size_t>(kInfos[i].dtype) != i) return false;
  }
  return true;
}
static_assert(in_enum_order());

const DTypeInfo& info(StDType dtype) { return kInfos[static_cast<size_t>(dtype)]; }

}  // namespace

const char* to_string(StDType dtype) { return info(dtype).name; }

int bits_of(StDType dtype) { return info(dtype).bits; }

std::optional<StDType> parse_st_dtype(std::string_view name) {
  const auto it = std::find_if(kInfos.begin(), kInfos.end(),
                               [&](const DTypeInfo& entry) { return entry.name == name; });
  if (it == kInfos.end()) return std::nullopt;
  return it->dtype;
}

std::optional<DType> to_engine_dtype(StDType dtype) {
  switch (dtype) {
    case StDType::kF32:
      return DType::kF32;
    case StDType::kBF16:
      return DType::kBF16;
    case StDType::kF16:
      return DType::kF16;
    case StDType::kU8:
      return DType::kU8;
    case StDType::kI32:
      return DType::kI32;
    case StDType::kI64:
      return DType::kI64;
    default:
      return std::nullopt;
  }
}

StDType to_st_dtype(DType dtype) {
  switch (dtype) {
    case DType::kF32:
      return StDType::kF32;
    case DType::kBF16:
      return StDType::kBF16;
    case DType::kF16:
      return StDType::kF16;
    case DType::kU8:
      return StDType::kU8;
    case DType::kI32:
      return StDType::kI32;
    case DType::kI64:
      return StDType::kI64;
  }
  return StDType::kU8;
}

}  // namespace ebb
