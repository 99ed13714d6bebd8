#pragma once

#include <cmath>
#include <cstdint>
#include <span>
#include <vector>

namespace ebb::reference {

struct TimestepFrequencies {
  int64_t c;
  double max_period, shift;
  bool sin_first;
};

// t [N] -> [N, C], see kernels/embedding/embedding.h.
inline std::vector<double> timestep_embedding(const TimestepFrequencies& f,
                                              std::span<const double> t) {
  std::vector<double> y;
  const int64_t half = f.c / 2;
  for (const double step : t) {
    std::vector<double> cosines, sines;
    for (int64_t i = 0; i < half; ++i) {
      const double angle = step * std::pow(f.max_period, -static_cast<double>(i) /
                                                             (static_cast<double>(half) - f.shift));
      cosines.push_back(std::cos(angle));
      sines.push_back(std::sin(angle));
    }
    const auto &first = f.sin_first ? sines : cosines, &second = f.sin_first ? cosines : sines;
    y.insert(y.end(), first.begin(), first.end());
    y.insert(y.end(), second.begin(), second.end());
    if (f.c % 2 == 1) y.push_back(0);
  }
  return y;
}

}  // namespace ebb::reference
