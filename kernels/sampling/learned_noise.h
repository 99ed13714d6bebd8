#pragma once

#include <cstdint>

namespace ebb {

// Adds noise whose variance the network chose per element, as a point between two logarithms
// (Nichol & Dhariwal 2021, eq. 15):
//   y[e] = x[e] + exp(log_deviation[0] + log_deviation[1] * code[e]) * z[e].
// y may be any of the operands. exp in f32.
struct LearnedNoiseArgs {
  int64_t count;
  const float* log_deviation;  // [2]: at code 0, and per unit of code
  const float* x;              // [count]
  const float* code;           // [count]
  const float* z;              // [count]
  float* y;                    // [count]
};

}  // namespace ebb
