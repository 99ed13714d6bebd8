// Activations chosen at compile time, on vectors of f32. For use inside a foreach_target
// translation unit: include after hwy/foreach_target.h.

// Per-target include guard.
#if defined(EBB_KERNELS_CPU_ACTIVATION_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef EBB_KERNELS_CPU_ACTIVATION_INL_H_
#undef EBB_KERNELS_CPU_ACTIVATION_INL_H_
#else
#define EBB_KERNELS_CPU_ACTIVATION_INL_H_
#endif

#include <hwy/highway.h>

#include "kernels/cpu/vector_math-inl.h"
#include "kernels/pointwise/activation.h"

HWY_BEFORE_NAMESPACE();
namespace ebb::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

// One lane. What is left over of a row runs through the same code as the full vectors, so a value
// does not depend on its position.
using OneLane = hn::CappedTag<float, 1>;

// act(x)
template <Activation kActivation, class D, class V = hn::Vec<D>>
HWY_INLINE V Activate(D d, V x) {
  if constexpr (kActivation == Activation::kGelu) {
    return Gelu(d, x);
  } else if constexpr (kActivation == Activation::kSilu) {
    return Silu(d, x);
  } else if constexpr (kActivation == Activation::kGeluTanh) {
    return GeluTanh(d, x);
  } else if constexpr (kActivation == Activation::kMish) {
    return Mish(d, x);
  } else if constexpr (kActivation == Activation::kRelu) {
    return hn::IfThenElse(hn::Lt(x, hn::Zero(d)), hn::Zero(d), x);
  } else {
    return x;
  }
}

// dy * act'(x)
template <Activation kActivation, class D, class V = hn::Vec<D>>
HWY_INLINE V ActivateGrad(D d, V x, V dy) {
  if constexpr (kActivation == Activation::kGelu) {
    return hn::Mul(dy, GeluGrad(d, x));
  } else if constexpr (kActivation == Activation::kSilu) {
    return hn::Mul(dy, SiluGrad(d, x));
  } else if constexpr (kActivation == Activation::kGeluTanh) {
    return hn::Mul(dy, GeluTanhGrad(d, x));
  } else if constexpr (kActivation == Activation::kMish) {
    return hn::Mul(dy, MishGrad(d, x));
  } else if constexpr (kActivation == Activation::kRelu) {
    const V kept = hn::IfThenElse(hn::Gt(x, hn::Zero(d)), dy, hn::Zero(d));
    return hn::IfThenElse(hn::IsNaN(x), x, kept);
  } else {
    return dy;
  }
}

}  // namespace ebb::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
