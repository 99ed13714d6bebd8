#pragma once

#include <cstdint>

namespace ebb {

// Keeps estimates of clean images in their range:
//   y = clamp(x, -limit, limit),
// or dynamic thresholding (Saharia et al. 2022), where the values of an image that are out of range
// are not cut but scale it:
//   s = clamp(q, 1, limit),  y = clamp(x, -s, s) / s,
// with q the quantile of |x| over the image, linear between the two values that it falls between:
// the rank ratio * (elements - 1) in f32, as torch.quantile has it. y may be x.
struct ThresholdArgs {
  int64_t n;         // images
  int64_t elements;  // of one image, below 2^31
  bool dynamic;
  float limit;     // at least 1 where dynamic
  float ratio;     // of the quantile, 0..1
  const float* x;  // [n, elements]
  float* y;        // [n, elements]
};

}  // namespace ebb
