#pragma once

#include <cstdint>

#include "engine/base/dtype.h"
#include "engine/base/stream_handle.h"

namespace ebb {

// kGelu is the exact form x * Phi(x) (PyTorch's default), kSilu is x * sigmoid(x).
enum class Activation { kNone, kGelu, kSilu };

constexpr const char* to_string(Activation activation) {
  switch (activation) {
    case Activation::kNone:
      return "none";
    case Activation::kGelu:
      return "gelu";
    case Activation::kSilu:
      return "silu";
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
using ActivationForwardFn = void(const ActivationArgs&, StreamHandle);

// dx[i] = dy[i] * act'(x[i]). dx may be dy.
struct ActivationBackwardArgs {
  Activation activation;
  DType dtype;
  int64_t count;
  const void* x;   // [count], the forward input
  const void* dy;  // [count]
  void* dx;        // [count]
};
using ActivationBackwardFn = void(const ActivationBackwardArgs&, StreamHandle);

namespace cpu {
ActivationForwardFn activation_forward;
ActivationBackwardFn activation_backward;
}  // namespace cpu

}  // namespace ebb
