#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <span>
#include <vector>

#include "kernels/spatial/upsample.h"

namespace ebb::reference {

// The definition in double, one output at a time.
inline std::vector<double> upsample(Interpolation interpolation, const UpsampleSize& s,
                                    std::span<const double> x) {
  std::vector<double> y;
  const auto at = [&](int64_t n, int64_t i, int64_t j, int64_t c) {
    return x[((n * s.h + i) * s.w + j) * s.c + c];
  };
  const auto position = [](int64_t out, int64_t in_size, int64_t out_size) {
    const double ratio = static_cast<double>(in_size) / static_cast<double>(out_size);
    return std::max(0.0, (static_cast<double>(out) + 0.5) * ratio - 0.5);
  };
  for (int64_t n = 0; n < s.n; ++n) {
    for (int64_t i = 0; i < s.ho; ++i) {
      for (int64_t j = 0; j < s.wo; ++j) {
        for (int64_t c = 0; c < s.c; ++c) {
          if (interpolation == Interpolation::kNearest) {
            y.push_back(at(n, i * s.h / s.ho, j * s.w / s.wo, c));
            continue;
          }
          const double pi = position(i, s.h, s.ho), pj = position(j, s.w, s.wo);
          double sum = 0;
          for (int64_t a = 0; a < s.h; ++a) {
            for (int64_t b = 0; b < s.w; ++b) {
              // Beyond the last row lies the last row again.
              const double di = a == s.h - 1 ? std::max(0.0, 1 - std::max(0.0, a - pi))
                                             : std::max(0.0, 1 - std::fabs(pi - a));
              const double dj = b == s.w - 1 ? std::max(0.0, 1 - std::max(0.0, b - pj))
                                             : std::max(0.0, 1 - std::fabs(pj - b));
              sum += di * dj * at(n, a, b, c);
            }
          }
          y.push_back(sum);
        }
      }
    }
  }
  return y;
}

}  // namespace ebb::reference
