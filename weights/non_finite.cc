#include "weights/non_finite.h"

#include <cstring>

#include "base/error.h"
#include "base/text.h"

namespace ebb {
namespace {

// IEEE layout: all exponent bits set and no mantissa bit is infinity, with one it is NaN.
template <typename Bits>
NonFinite count(const void* data, uint64_t bytes, Bits exponent, Bits mantissa) {
  NonFinite found;
  const char* from = static_cast<const char*>(data);
  for (uint64_t i = 0; i + sizeof(Bits) <= bytes; i += sizeof(Bits)) {
    Bits bits;
    std::memcpy(&bits, from + i, sizeof(Bits));
    const bool special = (bits & exponent) == exponent;
    const bool has_mantissa = (bits & mantissa) != 0;
    found.nan += special && has_mantissa;
    found.infinite += special && !has_mantissa;
  }
  return found;
}

}  // namespace

NonFinite count_non_finite(StDType dtype, const void* data, uint64_t bytes) {
  switch (dtype) {
    case StDType::kF16:
      return count<uint16_t>(data, bytes, 0x7c00, 0x03ff);
    case StDType::kBF16:
      return count<uint16_t>(data, bytes, 0x7f80, 0x007f);
    case StDType::kF32:
    case StDType::kC64:
      return count<uint32_t>(data, bytes, 0x7f800000, 0x007fffff);
    case StDType::kF64:
      return count<uint64_t>(data, bytes, 0x7ff0000000000000, 0x000fffffffffffff);
    default:
      return {};
  }
}

std::string non_finite_warning(const std::string& label, const std::string& tensor,
                               const NonFinite& found) {
  return cat(label, ": tensor ", quoted(tensor), " holds ", found.nan, " NaN and ", found.infinite,
             " infinite values. The model it came from may have diverged.");
}

}  // namespace ebb
