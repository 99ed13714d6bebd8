#pragma once

#include <cmath>
#include <cstdint>
#include <vector>

namespace ebb::reference {

// LayerNorm in double from its definition (kernels/norm/layer_norm.h).
struct LayerNormProblem {
  int64_t rows, c;
  double eps;
  std::vector<double> x, gamma, beta;  // gamma and beta may be empty
};

inline std::vector<double> layer_norm(const LayerNormProblem& p) {
  std::vector<double> y(p.x.size());
  const double count = static_cast<double>(p.c);
  for (int64_t first = 0; first < p.rows * p.c; first += p.c) {
    double mean = 0, var = 0;
    for (int64_t c = 0; c < p.c; ++c) mean += p.x[first + c] / count;
    for (int64_t c = 0; c < p.c; ++c) var += std::pow(p.x[first + c] - mean, 2) / count;
    for (int64_t c = 0; c < p.c; ++c) {
      const double xh = (p.x[first + c] - mean) / std::sqrt(var + p.eps);
      y[first + c] = xh * (p.gamma.empty() ? 1 : p.gamma[c]) + (p.beta.empty() ? 0 : p.beta[c]);
    }
  }
  return y;
}

struct LayerNormGradients {
  std::vector<double> dx, dgamma, dbeta;  // [rows, C], [C], [C]
  // In what unit roundoffs of f32 count: the sizes of the terms, xh with what the rounded mean
  // costs it, |mean| * rstd.
  std::vector<double> dx_magnitude, dgamma_magnitude, dbeta_magnitude;
};

inline LayerNormGradients layer_norm_backward(const LayerNormProblem& p,
                                              const std::vector<double>& dy) {
  const std::vector<double> zero(static_cast<size_t>(p.c)), zeros(p.x.size());
  LayerNormGradients result{zeros, zero, zero, zeros, zero, zero};
  const std::vector<double> xh = layer_norm({p.rows, p.c, p.eps, p.x, {}, {}});
  const double count = static_cast<double>(p.c);
  for (int64_t first = 0; first < p.rows * p.c; first += p.c) {
    double mean = 0, var = 0, sum = 0, product = 0, sum_size = 0, product_size = 0;
    for (int64_t c = 0; c < p.c; ++c) mean += p.x[first + c] / count;
    for (int64_t c = 0; c < p.c; ++c) var += std::pow(p.x[first + c] - mean, 2) / count;
    const double rstd = 1 / std::sqrt(var + p.eps);
    const auto g = [&](int64_t c) { return dy[first + c] * (p.gamma.empty() ? 1 : p.gamma[c]); };
    const auto xh_size = [&](int64_t c) {
      return std::fabs(xh[first + c]) + 1 + std::fabs(mean) * rstd;
    };
    for (int64_t c = 0; c < p.c; ++c) {
      sum += g(c) / count;
      product += g(c) * xh[first + c] / count;
      sum_size += std::fabs(g(c)) / count;
      product_size += std::fabs(g(c)) * xh_size(c) / count;
    }
    for (int64_t c = 0; c < p.c; ++c) {
      const int64_t i = first + c;
      result.dx[i] = rstd * (g(c) - sum - xh[i] * product);
      result.dx_magnitude[i] = rstd * (std::fabs(g(c)) + sum_size + xh_size(c) * product_size);
      result.dgamma[c] += dy[i] * xh[i];
      result.dgamma_magnitude[c] += std::fabs(dy[i]) * xh_size(c);
      result.dbeta[c] += dy[i];
      result.dbeta_magnitude[c] += std::fabs(dy[i]);
    }
  }
  return result;
}

}  // namespace ebb::reference
