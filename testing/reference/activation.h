#pragma once

#include <cmath>
#include <numbers>
#include <vector>

#include "kernels/pointwise/activation.h"

namespace ebb::reference {

// act(x) and act'(x) in double from the textbook formulas (kernels/pointwise/activation.h).

inline double normal_cdf(double x) { return 0.5 * std::erfc(-x / std::numbers::sqrt2); }
inline double normal_density(double x) {
  return std::exp(-0.5 * x * x) * std::numbers::inv_sqrtpi / std::numbers::sqrt2;
}
inline double logistic(double x) { return 1 / (1 + std::exp(-x)); }

inline double gelu_tanh_argument(double x) {
  return std::sqrt(2 / std::numbers::pi) * (x + 0.044715 * x * x * x);
}

inline double activation(Activation activation, double x) {
  switch (activation) {
    case Activation::kNone:
      return x;
    case Activation::kGelu:
      return x * normal_cdf(x);
    case Activation::kSilu:
      return x * logistic(x);
    case Activation::kGeluTanh:
      return 0.5 * x * (1 + std::tanh(gelu_tanh_argument(x)));
    case Activation::kMish:
      return x * std::tanh(std::log1p(std::exp(x)));
    case Activation::kRelu:
      return x > 0 ? x : 0 * x;
  }
  return NAN;
}

inline double activation_grad(Activation activation, double x) {
  switch (activation) {
    case Activation::kNone:
      return 1;
    case Activation::kGelu:
      return normal_cdf(x) + x * normal_density(x);
    case Activation::kSilu:
      return logistic(x) * (1 + x * logistic(-x));
    case Activation::kGeluTanh: {
      const double t = std::tanh(gelu_tanh_argument(x));
      const double inner = std::sqrt(2 / std::numbers::pi) * (1 + 3 * 0.044715 * x * x);
      return 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * inner;
    }
    case Activation::kMish: {
      const double t = std::tanh(std::log1p(std::exp(x)));
      return t + x * (1 - t * t) * logistic(x);
    }
    case Activation::kRelu:
      return x > 0 ? 1 : 0 * x;
  }
  return NAN;
}

}  // namespace ebb::reference
