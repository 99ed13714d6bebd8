#pragma once

#include <cmath>
#include <cstdint>
#include <vector>

#include "kernels/norm/group_norm.h"
#include "testing/reference/activation.h"

namespace ebb::reference {

// GroupNorm in double from its definition (kernels/norm/group_norm.h).
struct GroupNormProblem {
  GroupNormSize size;
  Activation activation;
  double eps;
  std::vector<double> x, gamma, beta, scale, shift;  // scale and shift may be empty
};

inline std::vector<double> group_norm(const GroupNormProblem& p) {
  const GroupNormSize& s = p.size;
  const int64_t width = s.c / s.groups;
  std::vector<double> y(p.x.size());
  for (int64_t n = 0; n < s.n; ++n) {
    for (int64_t g = 0; g < s.groups; ++g) {
      double mean = 0, var = 0;
      const double count = static_cast<double>(s.pixels * width);
      for (int64_t q = 0; q < s.pixels; ++q) {
        for (int64_t c = g * width; c < (g + 1) * width; ++c) {
          mean += p.x[(n * s.pixels + q) * s.c + c] / count;
        }
      }
      for (int64_t q = 0; q < s.pixels; ++q) {
        for (int64_t c = g * width; c < (g + 1) * width; ++c) {
          var += std::pow(p.x[(n * s.pixels + q) * s.c + c] - mean, 2) / count;
        }
      }
      for (int64_t q = 0; q < s.pixels; ++q) {
        for (int64_t c = g * width; c < (g + 1) * width; ++c) {
          const int64_t i = (n * s.pixels + q) * s.c + c, nc = n * s.c + c;
          double u = (p.x[i] - mean) / std::sqrt(var + p.eps) * p.gamma[c] + p.beta[c];
          if (!p.scale.empty()) u *= 1 + p.scale[nc];
          if (!p.shift.empty()) u += p.shift[nc];
          y[i] = activation(p.activation, u);
        }
      }
    }
  }
  return y;
}

}  // namespace ebb::reference
