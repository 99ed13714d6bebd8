#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace ebb::reference {

// Adam in double, from algorithm 1 of Kingma & Ba 2015, with the decoupled weight decay of
// algorithm 2 of Loshchilov & Hutter 2019.
struct Adam {
  double lr, beta1, beta2, eps;
  std::vector<double> param, m, v;
  int64_t t = 0;
  double weight_decay = 0;

  void step(std::span<const double> grad) {
    ++t;
    for (size_t i = 0; i < param.size(); ++i) {
      m[i] = beta1 * m[i] + (1 - beta1) * grad[i];
      v[i] = beta2 * v[i] + (1 - beta2) * grad[i] * grad[i];
      const double m_hat = m[i] / (1 - std::pow(beta1, static_cast<double>(t)));
      const double v_hat = v[i] / (1 - std::pow(beta2, static_cast<double>(t)));
      param[i] -= lr * weight_decay * param[i];
      param[i] -= lr * m_hat / (std::sqrt(v_hat) + eps);
    }
  }
};

}  // namespace ebb::reference
