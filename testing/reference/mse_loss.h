#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace ebb::reference {

inline double mse_loss(std::span<const double> prediction, std::span<const double> target) {
  double sum = 0;
  for (size_t i = 0; i < prediction.size(); ++i) {
    sum += (prediction[i] - target[i]) * (prediction[i] - target[i]);
  }
  return sum / static_cast<double>(prediction.size());
}

inline std::vector<double> mse_loss_backward(std::span<const double> prediction,
                                             std::span<const double> target, double dloss) {
  std::vector<double> gradient;
  for (size_t i = 0; i < prediction.size(); ++i) {
    gradient.push_back(dloss * 2 * (prediction[i] - target[i]) /
                       static_cast<double>(prediction.size()));
  }
  return gradient;
}

}  // namespace ebb::reference
