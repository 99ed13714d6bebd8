#pragma once

#include <cstdint>

namespace ebb {

// y[e] = mask[e] * x[e] + (1 - mask[e]) * known[e]: takes x where the mask is 1 and known where it
// is 0, both exactly for finite values. y may be x or known.
struct BlendArgs {
  int64_t count;
  const float* mask;   // [count], 0..1
  const float* x;      // [count]
  const float* known;  // [count]
  float* y;            // [count]
};

}  // namespace ebb
