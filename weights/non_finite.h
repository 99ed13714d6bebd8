#pragma once

#include <cstdint>
#include <string>

#include "weights/st_dtype.h"

namespace ebb {

// Counts of NaN and infinite elements.
struct NonFinite {
  uint64_t nan = 0;
  uint64_t infinite = 0;

  bool any() const { return nan + infinite > 0; }
  NonFinite& operator+=(const NonFinite& other) {
    nan += other.nan;
    infinite += other.infinite;
    return *this;
  }
};

// Counts in `bytes` bytes of little-endian elements, at any alignment. F16, BF16, F32, F64 and the
// parts of C64 are looked at; other types count as finite.
NonFinite count_non_finite(StDType dtype, const void* data, uint64_t bytes);

// "<file>: tensor "t" holds 1 NaN and 2 infinite values. ..."
std::string non_finite_warning(const std::string& label, const std::string& tensor,
                               const NonFinite& found);

}  // namespace ebb
