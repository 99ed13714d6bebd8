#pragma once

#include <array>
#include <cstdint>

namespace ebb {

// y[i, e] = sum over terms of coefficient[i] * x[i, e]: every update rule of a sampler, and
// classifier-free guidance. y may be any x. At most kMaxTerms.
struct LinearTerm {
  const float* x;             // [n, elements]
  const float* coefficients;  // [n] when per_image, else [1]
};
struct LinearCombinationArgs {
  static constexpr int kMaxTerms = 4;
  int64_t n, elements;
  bool per_image;
  int terms;
  std::array<LinearTerm, kMaxTerms> term;
  float* y;  // [n, elements]
};

}  // namespace ebb
