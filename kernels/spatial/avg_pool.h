#pragma once

#include <cstdint>

#include "base/dtype.h"

namespace ebb {

// AvgPool2d with kernel == stride == k; H and W are multiples of k.
//   y[n, i, j, c] = mean over the k x k window of x.
struct AvgPoolForwardArgs {
  int64_t n, h, w, c, k;
  DType dtype;
  const void* x;  // [N, H, W, C]
  void* y;        // [N, H/k, W/k, C]
};

// dx[n, i, j, c] = dy[n, i/k, j/k, c] / k^2.
struct AvgPoolBackwardArgs {
  int64_t n, h, w, c, k;
  DType dtype;
  const void* dy;  // [N, H/k, W/k, C]
  void* dx;        // [N, H, W, C]
};

}  // namespace ebb
