#pragma once

#include <cstdint>

#include "base/dtype.h"

namespace ebb {

// kGelu is the exact form x * Phi(x) (PyTorch's default), kSilu is x * sigmoid(x), kGeluTanh the
// approximation of GELU (Hendrycks & Gimpel 2016; T5 v1.1's "gelu_new", PyTorch's
// approximate='tanh')
//   x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 x^3))),
// kMish is x * tanh(log(1 + e^x)) (Misra 2019), kRelu is max(x, 0).
enum class Activation { kNone, kGelu, kSilu, kGeluTanh, kMish, kRelu };

// Whether convolutions and norms can end with it. The others are only an operation of their own.
constexpr bool is_fusable(Activation activation) {
  return activation != Activation::kMish && activation != Activation::kRelu;
}

// For kGeluTanh: the argument of tanh is half of x * (kGeluTanhLinear + kGeluTanhCubic * x^2).
inline constexpr float kGeluTanhLinear = 1.5957691216f, kGeluTanhCubic = 0.0713548163f;

constexpr const char* to_string(Activation activation) {
  switch (activation) {
    case Activation::kNone:
      return "none";
    case Activation::kGelu:
      return "gelu";
    case Activation::kSilu:
      return "silu";
    case Activation::kGeluTanh:
      return "gelu_tanh";
    case Activation::kMish:
      return "mish";
    case Activation::kRelu:
      return "relu";
  }
  return "unknown";
}

// y[i] = act(x[i]). y may be x.
struct ActivationArgs {
  Activation activation;
  DType dtype;
  int64_t count;
  const void* x;  // [count]
  void* y;        // [count]
};

// dx[i] = dy[i] * act'(x[i]). dx may be dy.
struct ActivationBackwardArgs {
  Activation activation;
  DType dtype;
  int64_t count;
  const void* x;   // [count], the forward input
  const void* dy;  // [count]
  void* dx;        // [count]
};

}  // namespace ebb
