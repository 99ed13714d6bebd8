#pragma once

#include <cstdint>

#include "base/dtype.h"

namespace ebb {

// y[i] = scale * x[i] + shift, rounded once. Its gradient is the same with shift 0. y may be x.
struct AffineArgs {
  DType dtype;
  int64_t count;
  float scale, shift;
  const void* x;  // [count]
  void* y;        // [count]
};

}  // namespace ebb
