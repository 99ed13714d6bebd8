#pragma once

#include <cstdint>

#include "base/dtype.h"

namespace ebb {

// y[r, c] = exp(x[r, c] - m) / sum over c of exp(x[r, c] - m), m the largest of the row: rows may
// hold +-1e4, and -infinity where an entry is masked, but not in all places. y may be x.
struct SoftmaxForwardArgs {
  int64_t rows, c;
  DType dtype;
  const void* x;  // [rows, C]
  void* y;        // [rows, C]
};

// dx = y * (dy - sum over c of dy * y). dx may be dy.
struct SoftmaxBackwardArgs {
  int64_t rows, c;
  DType dtype;
  const void* y;   // [rows, C], the forward output
  const void* dy;  // [rows, C]
  void* dx;        // [rows, C]
};

}  // namespace ebb
