#pragma once

#include <cmath>

#include "kernels/pointwise/activation.h"

namespace ebb::cpu {

// One activation and its slope, for kernels that are bound by memory. The vector forms are in
// vector_math-inl.h.
inline float activate(Activation activation, float x) {
  switch (activation) {
    case Activation::kGelu: {
      const float bounded = x < -6 ? -6 : x;  // x * 0 would be NaN at -infinity
      return 0.5f * bounded * (1 + std::erf(bounded * 0.70710678f));
    }
    case Activation::kSilu: {
      const float bounded = x < -87 ? -87 : x;
      return bounded / (1 + std::exp(-bounded));
    }
    case Activation::kGeluTanh: {
      const float bounded = x < -10 ? -10 : x, inner = bounded > 10 ? 10 : bounded;
      const float z = inner * (kGeluTanhLinear + kGeluTanhCubic * inner * inner);
      return bounded / (1 + std::exp(-z));
    }
    case Activation::kMish:
    case Activation::kRelu:  // not fusable
    case Activation::kNone:
      break;
  }
  return x;
}

inline float activation_grad(Activation activation, float x) {
  switch (activation) {
    case Activation::kGelu: {
      const float bounded = x < -6 ? -6 : (x > 6 ? 6 : x);
      return 0.5f * (1 + std::erf(bounded * 0.70710678f)) +
             bounded * 0.3989422804f * std::exp(-0.5f * bounded * bounded);
    }
    case Activation::kSilu: {
      const float bounded = x < -87 ? -87 : (x > 87 ? 87 : x);
      const float e = std::exp(-std::fabs(bounded)), up = 1 / (1 + e), down = e * up;
      const float s = bounded < 0 ? down : up, rest = bounded < 0 ? up : down;
      return s + bounded * s * rest;
    }
    case Activation::kGeluTanh: {
      const float bounded = x < -10 ? -10 : (x > 10 ? 10 : x), square = bounded * bounded;
      const float z = bounded * (kGeluTanhLinear + kGeluTanhCubic * square);
      const float e = std::exp(-std::fabs(z)), up = 1 / (1 + e), down = e * up;
      const float s = bounded < 0 ? down : up, rest = bounded < 0 ? up : down;
      return s + bounded * s * rest * (kGeluTanhLinear + 3 * kGeluTanhCubic * square);
    }
    case Activation::kMish:
    case Activation::kRelu:  // not fusable
    case Activation::kNone:
      break;
  }
  return 1;
}

}  // namespace ebb::cpu
