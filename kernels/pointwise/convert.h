#pragma once

#include <cstdint>

#include "base/dtype.h"

namespace ebb {

// y[i] = x[i] in another floating-point type (f32, bf16, f16), rounded to nearest even.
struct ConvertArgs {
  int64_t count;
  DType from, to;
  const void* x;  // [count]
  void* y;        // [count]
};

}  // namespace ebb
