#pragma once

#include <cmath>
#include <cstdint>
#include <span>
#include <vector>

namespace ebb::reference {

// exp(z[k]) / sum over j of exp(z[j]), row by row; fine for logits that exp() can hold.
inline std::vector<double> softmax(std::span<const double> z, int64_t classes) {
  std::vector<double> result;
  for (size_t row = 0; row < z.size(); row += classes) {
    double sum = 0;
    for (int64_t k = 0; k < classes; ++k) sum += std::exp(z[row + k]);
    for (int64_t k = 0; k < classes; ++k) result.push_back(std::exp(z[row + k]) / sum);
  }
  return result;
}

inline double softmax_cross_entropy(std::span<const double> z, std::span<const double> p,
                                    int64_t classes) {
  const std::vector<double> q = softmax(z, classes);
  double sum = 0;
  for (size_t i = 0; i < z.size(); ++i) sum -= p[i] * std::log(q[i]);
  return sum * static_cast<double>(classes) / static_cast<double>(z.size());
}

inline std::vector<double> softmax_cross_entropy_backward(std::span<const double> z,
                                                          std::span<const double> p,
                                                          int64_t classes, double dloss) {
  const std::vector<double> q = softmax(z, classes);
  const double rows = static_cast<double>(z.size()) / static_cast<double>(classes);
  std::vector<double> gradient;
  for (size_t i = 0; i < z.size(); ++i) {
    const size_t row = i / classes * classes;
    double total = 0;
    for (int64_t k = 0; k < classes; ++k) total += p[row + k];
    gradient.push_back(dloss / rows * (q[i] * total - p[i]));
  }
  return gradient;
}

}  // namespace ebb::reference
