#pragma once

#include <cmath>
#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "testing/compare.h"

namespace ebb::test {

// Compares a gradient with central differences of its loss:
//   |gradient[i] - (loss(x + eps e_i) - loss(x - eps e_i)) / (2 eps)| <= atol + rtol |difference|
// `loss` maps std::span<const double> to double. Empty when they agree.
template <typename Loss>
std::string gradcheck(const Loss& loss, std::vector<double> x, std::span<const double> gradient) {
  constexpr double kEps = 1e-6, kRtol = 1e-3, kAtol = 1e-5;
  std::vector<double> differences(x.size());
  for (size_t i = 0; i < x.size(); ++i) {
    const double here = x[i];
    x[i] = here + kEps;
    const double above = loss(std::span<const double>(x));
    x[i] = here - kEps;
    const double below = loss(std::span<const double>(x));
    x[i] = here;
    differences[i] = (above - below) / (2 * kEps);
  }
  return compare_with(gradient, std::span<const double>(differences),
                      [&](size_t i) { return kAtol + kRtol * std::fabs(differences[i]); });
}

// sum of a[i] * b[i]: the loss whose gradient with respect to a is b.
inline double inner_product(std::span<const double> a, std::span<const double> b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

}  // namespace ebb::test
