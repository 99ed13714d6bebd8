#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "kernels/attention/attention.h"

namespace ebb::reference {

// Attention in double from its definition (kernels/attention/attention.h), all operands dense.
struct AttentionProblem {
  AttentionSize size;
  double scale;
  std::vector<double> q, k, v, extra_k, extra_v, bias;  // bias may be empty
};

// lse: where the logarithms of the sums go, [B, heads, queries], or null.
inline std::vector<double> attention(const AttentionProblem& p,
                                     std::vector<double>* lse = nullptr) {
  const AttentionSize& s = p.size;
  const int64_t count = s.extra + s.keys;
  std::vector<double> o(static_cast<size_t>(s.b * s.queries * s.heads * s.d));
  const auto key = [&](const std::vector<double>& extra, const std::vector<double>& own, int64_t b,
                       int64_t h, int64_t j, int64_t e) {
    return j < s.extra ? extra[((b * s.extra + j) * s.heads + h) * s.d + e]
                       : own[((b * s.keys + j - s.extra) * s.heads + h) * s.d + e];
  };
  for (int64_t b = 0; b < s.b; ++b) {
    for (int64_t h = 0; h < s.heads; ++h) {
      for (int64_t i = 0; i < s.queries; ++i) {
        const int64_t row = ((b * s.queries + i) * s.heads + h) * s.d;
        std::vector<double> weight(static_cast<size_t>(count));
        for (int64_t j = 0; j < count; ++j) {
          double product = 0;
          for (int64_t e = 0; e < s.d; ++e) {
            product += p.q[row + e] * key(p.extra_k, p.k, b, h, j, e);
          }
          weight[j] = p.scale * product;
          if (!p.bias.empty()) weight[j] += p.bias[(h * s.queries + i) * count + j];
        }
        const double most = *std::max_element(weight.begin(), weight.end());
        double sum = 0;
        for (double& w : weight) sum += w = std::exp(w - most);
        if (lse != nullptr) lse->push_back(most + std::log(sum));
        for (int64_t j = 0; j < count; ++j) {
          for (int64_t e = 0; e < s.d; ++e) {
            o[row + e] += weight[j] / sum * key(p.extra_v, p.v, b, h, j, e);
          }
        }
      }
    }
  }
  return o;
}

}  // namespace ebb::reference
