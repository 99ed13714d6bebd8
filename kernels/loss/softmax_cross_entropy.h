#pragma once

#include <cstdint>

#include "base/dtype.h"

namespace ebb {

// The cross entropy of classifiers, PyTorch's F.cross_entropy with probabilities as targets:
//   loss = mean over rows n of sum over k of p[n, k] * (log sum over j of exp(z[n, j]) - z[n, k])
// A one-hot row p is a label. Rows are computed in double with their largest logit taken out, and
// summed in order.
struct SoftmaxCrossEntropyArgs {
  int64_t rows, classes;
  DType dtype;         // of logits and target
  const void* logits;  // z [rows, classes]
  const void* target;  // p [rows, classes]
  float* loss;         // [1]
  void* workspace;     // softmax_cross_entropy_workspace_bytes(rows)
};
using SoftmaxCrossEntropyWorkspaceBytesFn = int64_t(int64_t rows);

// dlogits[n, k] = dloss / rows * (softmax(z[n])[k] * sum over j of p[n, j] - p[n, k]).
// dlogits may be logits.
struct SoftmaxCrossEntropyBackwardArgs {
  int64_t rows, classes;
  DType dtype;
  const void* logits;  // z [rows, classes]
  const void* target;  // p [rows, classes]
  const float* dloss;  // [1]
  void* dlogits;       // [rows, classes]
};

}  // namespace ebb
