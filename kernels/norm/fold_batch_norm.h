#pragma once

#include <cstdint>

namespace ebb {

// Turns conv followed by inference BatchNorm into one convolution:
//   s = gamma / sqrt(var + eps);  w'[o, k] = s[o] * w[o, k];  b'[o] = s[o] * (b[o] - mean[o]) +
//   beta[o]
struct FoldBatchNormArgs {
  int64_t o, k;  // output channels, KH*KW*C
  float eps;
  const float* w;      // [O, K]
  const float* b;      // [O]
  const float* gamma;  // [O]
  const float* beta;   // [O]
  const float* mean;   // [O]
  const float* var;    // [O]
  float* folded_w;     // [O, K]
  float* folded_b;     // [O]
};

}  // namespace ebb
