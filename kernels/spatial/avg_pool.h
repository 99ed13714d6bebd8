#pragma once

#include <cstdint>

#include "base/dtype.h"

namespace ebb {

// AvgPool2d with kernel == stride == (kh, kw); H is a multiple of kh and W of kw.
//   y[n, i, j, c] = mean over the kh x kw window of x.
struct AvgPoolForwardArgs {
  int64_t n, h, w, c, kh, kw;
  DType dtype;
  const void* x;  // [N, H, W, C]
  void* y;        // [N, H/kh, W/kw, C]
};

// dx[n, i, j, c] = dy[n, i/kh, j/kw, c] / (kh kw).
struct AvgPoolBackwardArgs {
  int64_t n, h, w, c, kh, kw;
  DType dtype;
  const void* dy;  // [N, H/kh, W/kw, C]
  void* dx;        // [N, H, W, C]
};

}  // namespace ebb
