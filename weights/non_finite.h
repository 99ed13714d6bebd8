#pragma once

#include <cstdint>

#include "weights/st_dtype.h"

namespace ebb {

// How many elements are no numbers.
struct NonFinite {
  uint64_t nan = 0;
  uint64_t infinite = 0;

  bool any() const { return nan + infinite > 0; }
};

// Counts in `bytes` bytes of little-endian elements, at any alignment. F16, BF16, F32, F64 and the
// parts of C64 are looked at; other types count as finite.
NonFinite count_non_finite(StDType dtype, const void* data, uint64_t bytes);

}  // namespace ebb
