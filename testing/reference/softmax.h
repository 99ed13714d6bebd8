#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

namespace ebb::reference {

// For each row of x [rows, C].
inline std::vector<double> softmax(int64_t c, std::span<const double> x) {
  std::vector<double> y(x.size());
  for (size_t row = 0; row < x.size(); row += static_cast<size_t>(c)) {
    double most = -std::numeric_limits<double>::infinity(), sum = 0;
    for (int64_t i = 0; i < c; ++i) most = std::max(most, x[row + i]);
    for (int64_t i = 0; i < c; ++i) sum += std::exp(x[row + i] - most);
    for (int64_t i = 0; i < c; ++i) y[row + i] = std::exp(x[row + i] - most) / sum;
  }
  return y;
}

}  // namespace ebb::reference
