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

// tanh(log(1 + e^x)) = up / down without overflow, of u = e^-|x|: (u^2 + 2u) / (u^2 + 2u + 2) where
// x is negative, else (1 + 2u) / (1 + 2u + 2u^2).
SIMT_DEVICE void mish_parts(float x, float& u, float& up, float& down) {
  u = expf(-fabsf(x));
  up = 2.0f * u + (x < 0 ? u * u : 1.0f);
  down = up + (x < 0 ? 2.0f : 2.0f * u * u);
}
SIMT_DEVICE float mish(float x) {
  const float bounded = x < -87.0f ? -87.0f : x;
  float u, up, down;
  mish_parts(bounded, u, up, down);
  return bounded * (up / down);
}
// t + x (1 - t^2) s with t = up / down, s = 1 / (1 + e^-x).
SIMT_DEVICE float mish_grad(float x) {
  const float bounded = clamp_to(x, -87.0f, 87.0f);
  float u, up, down;
  mish_parts(bounded, u, up, down);
  const float slope = 4.0f * (u + 1.0f) * (x < 0 ? u : u * u) / (down * down);
  return up / down + bounded * slope;
}

SIMT_DEVICE float relu(float x) { return x < 0.0f ? 0.0f : x; }
SIMT_DEVICE float relu_grad(float x) { return x > 0.0f ? 1.0f : (x <= 0.0f ? 0.0f : x); }

template <Activation kActivation>
SIMT_DEVICE float activate(float x) {
  if constexpr (kActivation == Activation::kGelu) {
    return gelu(x);
  } else if constexpr (kActivation == Activation::kSilu) {
    return silu(x);
  } else if constexpr (kActivation == Activation::kGeluTanh) {
    return gelu_tanh(x);
  } else if constexpr (kActivation == Activation::kMish) {
    return mish(x);
  } else if constexpr (kActivation == Activation::kRelu) {
    return relu(x);
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
  } else if constexpr (kActivation == Activation::kMish) {
    return mish_grad(x);
  } else if constexpr (kActivation == Activation::kRelu) {
    return relu_grad(x);
  } else {
    return 1.0f;
  }
}

template <Activation kValue>
struct ActivationConstant {
  static constexpr Activation value = kValue;
};

// Calls body with an ActivationConstant: for_activation(a, [&](auto tag) { tag.value ... }). Those
// that are not fusable are no case here.
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
    case Activation::kMish:
    case Activation::kRelu:
      throw ShapeError(cat("cuda kernels: ", to_string(activation), " cannot be fused"));
  }
}

}  // namespace ebb::EBB_GPU_NAMESPACE
