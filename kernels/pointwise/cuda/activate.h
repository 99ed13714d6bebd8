#pragma once

// Activations and their slopes in f32. NaN stays NaN; infinities reach their limits.

#include "kernels/pointwise/activation.h"
#include "kernels/simt/simt.h"

namespace ebb::EBB_GPU_NAMESPACE {

// Clamp that keeps NaN.
SIMT_DEVICE float clamp_to(float x, float low, float high) {
  return x < low ? low : (x > high ? high : x);
}

// Phi(x) of the normal distribution.
SIMT_DEVICE float normal_cdf(float x) { return 0.5f * (1.0f + erff(x * 0.70710678f)); }

SIMT_DEVICE float gelu(float x) {
  const float bounded = x < -6.0f ? -6.0f : x;  // x * 0 would be NaN at -infinity
  return bounded * normal_cdf(bounded);
}
// Phi(x) + x phi(x).
SIMT_DEVICE float gelu_grad(float x) {
  const float bounded = clamp_to(x, -6.0f, 6.0f);
  return normal_cdf(bounded) + bounded * 0.3989422804f * expf(-0.5f * bounded * bounded);
}

// up = 1 / (1 + e^-|x|), down = 1 - up without cancellation.
SIMT_DEVICE void logistic_pair(float x, float& up, float& down) {
  const float e = expf(-fabsf(x));
  up = 1.0f / (1.0f + e);
  down = e * up;
}
SIMT_DEVICE float silu(float x) {
  const float bounded = x < -87.0f ? -87.0f : x;
  float up, down;
  logistic_pair(bounded, up, down);
  return bounded * (bounded < 0 ? down : up);
}
// s + x s (1 - s), s = 1 / (1 + e^-x).
SIMT_DEVICE float silu_grad(float x) {
  const float bounded = clamp_to(x, -87.0f, 87.0f);
  float up, down;
  logistic_pair(bounded, up, down);
  const float s = bounded < 0 ? down : up, rest = bounded < 0 ? up : down;
  return bounded * s * rest + s;
}

// x / 2 (1 + tanh(z / 2)) = x / (1 + e^-z), z = 2 sqrt(2 / pi) (x + 0.044715 x^3). Beyond +-10 both
// it and its slope have reached their limits.
SIMT_DEVICE float gelu_tanh(float x) {
  const float bounded = x < -10.0f ? -10.0f : x, inner = bounded > 10.0f ? 10.0f : bounded;
  float up, down;
  logistic_pair(inner * (kGeluTanhLinear + kGeluTanhCubic * inner * inner), up, down);
  return bounded * (bounded < 0 ? down : up);
}
// s + x s (1 - s) dz/dx, s = 1 / (1 + e^-z).
SIMT_DEVICE float gelu_tanh_grad(float x) {
  const float bounded = clamp_to(x, -10.0f, 10.0f), square = bounded * bounded;
  float up, down;
  logistic_pair(bounded * (kGeluTanhLinear + kGeluTanhCubic * square), up, down);
  const float s = bounded < 0 ? down : up, rest = bounded < 0 ? up : down;
  return bounded * s * rest * (kGeluTanhLinear + 3 * kGeluTanhCubic * square) + s;
}

template <Activation kActivation>
SIMT_DEVICE float activate(float x) {
  if constexpr (kActivation == Activation::kGelu) {
    return gelu(x);
  } else if constexpr (kActivation == Activation::kSilu) {
    return silu(x);
  } else if constexpr (kActivation == Activation::kGeluTanh) {
    return gelu_tanh(x);
  } else {
    return x;
  }
}

template <Activation kActivation>
SIMT_DEVICE float activation_grad(float x) {
  if constexpr (kActivation == Activation::kGelu) {
    return gelu_grad(x);
  } else if constexpr (kActivation == Activation::kSilu) {
    return silu_grad(x);
  } else if constexpr (kActivation == Activation::kGeluTanh) {
    return gelu_tanh_grad(x);
  } else {
    return 1.0f;
  }
}

template <Activation kValue>
struct ActivationConstant {
  static constexpr Activation value = kValue;
};

// Calls body with an ActivationConstant: for_activation(a, [&](auto tag) { tag.value ... }).
template <class Body>
void for_activation(Activation activation, const Body& body) {
  switch (activation) {
    case Activation::kNone:
      return body(ActivationConstant<Activation::kNone>{});
    case Activation::kGelu:
      return body(ActivationConstant<Activation::kGelu>{});
    case Activation::kSilu:
      return body(ActivationConstant<Activation::kSilu>{});
    case Activation::kGeluTanh:
      return body(ActivationConstant<Activation::kGeluTanh>{});
  }
}

}  // namespace ebb::EBB_GPU_NAMESPACE
