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
  std::vector<double> dx, dgamma, dbeta;                  // [rows, C], [C], [C]
  std::vector<double> dgamma_magnitude, dbeta_magnitude;  // [C], sums of absolute terms
};

inline LayerNormGradients layer_norm_backward(const LayerNormProblem& p,
                                              const std::vector<double>& dy) {
  const size_t channels = static_cast<size_t>(p.c);
  const std::vector<double> zero(channels);
  LayerNormGradients result{std::vector<double>(p.x.size()), zero, zero, zero, zero};
  const std::vector<double> xh = layer_norm({p.rows, p.c, p.eps, p.x, {}, {}});
  const double count = static_cast<double>(p.c);
  for (int64_t first = 0; first < p.rows * p.c; first += p.c) {
    double mean = 0, var = 0, sum = 0, product = 0;
    const auto g = [&](int64_t c) { return dy[first + c] * (p.gamma.empty() ? 1 : p.gamma[c]); };
    for (int64_t c = 0; c < p.c; ++c) mean += p.x[first + c] / count;
    for (int64_t c = 0; c < p.c; ++c) {
      var += std::pow(p.x[first + c] - mean, 2) / count;
      sum += g(c) / count;
      product += g(c) * xh[first + c] / count;
    }
    for (int64_t c = 0; c < p.c; ++c) {
      const double term = dy[first + c] * xh[first + c];
      result.dx[first + c] = (g(c) - sum - xh[first + c] * product) / std::sqrt(var + p.eps);
      result.dgamma[c] += term;
      result.dgamma_magnitude[c] += std::fabs(term);
      result.dbeta[c] += dy[first + c];
      result.dbeta_magnitude[c] += std::fabs(dy[first + c]);
    }
  }
  return result;
}

}  // namespace ebb::reference
