#pragma once

#include <cstdint>

namespace ebb {

// Reorders the elements of every image and may turn their sign: a view of an image (flip, turn,
// permutation of pixels, negation), and picking channels out of wider pixels.
//   y[i, e] = x[i, k] for k = index[e] >= 0, -x[i, ~k] for k < 0.
// y must not overlap x.
struct SignedGatherArgs {
  int64_t n;
  int64_t x_elements;    // of an image in x
  int64_t elements;      // of an image in y
  const int32_t* index;  // [elements], every k or ~k in 0..x_elements-1
  const float* x;        // [n, x_elements]
  float* y;              // [n, elements]
};

}  // namespace ebb
