#pragma once

#include <cstdint>

#include "base/dtype.h"

namespace ebb {

// Strided copy of channel ranges: y[r, 0:c] = x[r % x_rows, 0:c]. Concatenation is one call per
// operand with y pointing at its first channel; its gradient is the same call with x and y swapped.
// x_rows < rows repeats the source (an operand shared by several guidance branches).
struct CopyRowsArgs {
  int64_t rows, x_rows, c;
  int64_t x_pitch, y_pitch;  // elements from row to row
  DType dtype;
  const void* x;
  void* y;
};

}  // namespace ebb
