#pragma once

#include <cstdint>

#include "base/dtype.h"

namespace ebb {

// loss = mean over all elements of (prediction - target)^2, summed in double in a fixed order.
struct MseLossArgs {
  int64_t count;
  DType dtype;
  const void* prediction;  // [count]
  const void* target;      // [count]
  float* loss;             // [1]
  void* workspace;         // mse_loss_workspace_bytes(count)
};
using MseLossWorkspaceBytesFn = int64_t(int64_t count);

// dprediction = dloss * 2 (prediction - target) / count.
struct MseLossBackwardArgs {
  int64_t count;
  DType dtype;
  const void* prediction;  // [count]
  const void* target;      // [count]
  const float* dloss;      // [1]
  void* dprediction;       // [count]
};

}  // namespace ebb
