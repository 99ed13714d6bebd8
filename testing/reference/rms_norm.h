#pragma once

#include <cmath>
#include <cstdint>
#include <span>
#include <vector>

namespace ebb::reference {

// RMSNorm over rows of c numbers in double from its definition (kernels/norm/rms_norm.h).
inline std::vector<double> rms_norm(int64_t c, double eps, std::span<const double> x,
                                    std::span<const double> gamma) {
  std::vector<double> y;
  for (size_t first = 0; first < x.size(); first += static_cast<size_t>(c)) {
    double mean = 0;
    for (int64_t k = 0; k < c; ++k) mean += x[first + k] * x[first + k] / static_cast<double>(c);
    for (int64_t k = 0; k < c; ++k) y.push_back(x[first + k] / std::sqrt(mean + eps) * gamma[k]);
  }
  return y;
}

}  // namespace ebb::reference
