#include "kernels/cuda/map.h"
#include "kernels/pointwise/activation.h"
#include "kernels/pointwise/cuda/activate.h"

namespace ebb::EBB_GPU_NAMESPACE {
namespace {

template <Activation kActivation>
struct Forward {
  static constexpr int kInputs = 1;
  SIMT_DEVICE float operator()(float x) const { return activate<kActivation>(x); }
};

template <Activation kActivation>
struct Backward {
  static constexpr int kInputs = 2;
  SIMT_DEVICE float operator()(float x, float dy) const {
    return dy * activation_grad<kActivation>(x);
  }
};

template <class Body>
void for_any_activation(Activation activation, const Body& body) {
  if (activation == Activation::kMish) return body(ActivationConstant<Activation::kMish>{});
  if (activation == Activation::kRelu) return body(ActivationConstant<Activation::kRelu>{});
  for_activation(activation, body);
}

}  // namespace

void activation_forward(const ActivationArgs& args, KernelStream stream) {
  for_dtype("activation", args.dtype, [&](auto type) {
    using T = decltype(type);
    for_any_activation(args.activation, [&](auto tag) {
      map<T>("activation_forward", stream, args.count, Forward<decltype(tag)::value>{},
             static_cast<const T*>(args.x), nullptr, static_cast<T*>(args.y));
    });
  });
}

void activation_backward(const ActivationBackwardArgs& args, KernelStream stream) {
  for_dtype("activation", args.dtype, [&](auto type) {
    using T = decltype(type);
    for_any_activation(args.activation, [&](auto tag) {
      map<T>("activation_backward", stream, args.count, Backward<decltype(tag)::value>{},
             static_cast<const T*>(args.x), static_cast<const T*>(args.dy),
             static_cast<T*>(args.dx));
    });
  });
}

}  // namespace ebb::EBB_GPU_NAMESPACE
