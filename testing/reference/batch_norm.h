#pragma once

#include <cmath>
#include <cstdint>
#include <span>
#include <vector>

#include "testing/reference/activation.h"

namespace ebb::reference {

// kernels/norm/batch_norm.h on rows [rows, C] in double.
struct BatchNormProblem {
  int64_t rows, c;
  Activation activation;
  double eps;
  std::vector<double> x;      // [rows, C]
  std::vector<double> gamma;  // [C]
  std::vector<double> beta;   // [C]
};

struct BatchNormStatistics {
  std::vector<double> mean, var;  // [C]; var is biased
};

inline BatchNormStatistics batch_statistics(const BatchNormProblem& p) {
  BatchNormStatistics s;
  for (int64_t c = 0; c < p.c; ++c) {
    double mean = 0, var = 0;
    for (int64_t r = 0; r < p.rows; ++r) mean += p.x[r * p.c + c];
    mean /= static_cast<double>(p.rows);
    for (int64_t r = 0; r < p.rows; ++r) var += std::pow(p.x[r * p.c + c] - mean, 2);
    s.mean.push_back(mean);
    s.var.push_back(var / static_cast<double>(p.rows));
  }
  return s;
}

// (x - mean) / sqrt(var + eps), [rows, C]
inline std::vector<double> normalize(const BatchNormProblem& p, const BatchNormStatistics& s) {
  std::vector<double> xh(p.x.size());
  for (size_t i = 0; i < xh.size(); ++i) {
    const size_t c = i % static_cast<size_t>(p.c);
    xh[i] = (p.x[i] - s.mean[c]) / std::sqrt(s.var[c] + p.eps);
  }
  return xh;
}

inline std::vector<double> batch_norm(const BatchNormProblem& p, const BatchNormStatistics& s) {
  std::vector<double> y = normalize(p, s);
  for (size_t i = 0; i < y.size(); ++i) {
    const size_t c = i % static_cast<size_t>(p.c);
    y[i] = activation(p.activation, p.gamma[c] * y[i] + p.beta[c]);
  }
  return y;
}

struct BatchNormGradients {
  std::vector<double> dx;             // [rows, C]
  std::vector<double> dgamma, dbeta;  // [C]
};

inline BatchNormGradients batch_norm_backward(const BatchNormProblem& p,
                                              const BatchNormStatistics& s,
                                              std::span<const double> dy) {
  const size_t channels = static_cast<size_t>(p.c);
  const std::vector<double> xh = normalize(p, s);
  std::vector<double> dz(xh.size());
  BatchNormGradients g = {{}, std::vector<double>(channels), std::vector<double>(channels)};
  for (size_t i = 0; i < dz.size(); ++i) {
    const size_t c = i % channels;
    dz[i] = dy[i] * activation_grad(p.activation, p.gamma[c] * xh[i] + p.beta[c]);
    g.dbeta[c] += dz[i];
    g.dgamma[c] += dz[i] * xh[i];
  }
  const double rows = static_cast<double>(p.rows);
  for (size_t i = 0; i < dz.size(); ++i) {
    const size_t c = i % channels;
    const double scale = p.gamma[c] / std::sqrt(s.var[c] + p.eps);
    g.dx.push_back(scale * (dz[i] - g.dbeta[c] / rows - xh[i] * g.dgamma[c] / rows));
  }
  return g;
}

}  // namespace ebb::reference
