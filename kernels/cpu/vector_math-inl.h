// Exponential, GELU (both forms) and SiLU on vectors of f32. For use inside a foreach_target
// translation unit: include after hwy/foreach_target.h. Names follow Highway's, whose operations
// these extend.
//
// Every function returns NaN for NaN and its limit (within the stated error) for +-infinity.

// Per-target include guard.
#if defined(EBB_KERNELS_CPU_VECTOR_MATH_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef EBB_KERNELS_CPU_VECTOR_MATH_INL_H_
#undef EBB_KERNELS_CPU_VECTOR_MATH_INL_H_
#else
#define EBB_KERNELS_CPU_VECTOR_MATH_INL_H_
#endif

#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace ebb::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

// 2^(r + f) for integral r in [-126, 127] and f in [-0.5, 0.5]; relative error 1e-7.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V Exp2Parts(D d, V r, V f) {
  const hn::RebindToSigned<D> di;
  V p = hn::Set(d, 0.00015353361959569156f);
  p = hn::MulAdd(p, f, hn::Set(d, 0.0013398873852565885f));
  p = hn::MulAdd(p, f, hn::Set(d, 0.00961843691766262f));
  p = hn::MulAdd(p, f, hn::Set(d, 0.055503323674201965f));
  p = hn::MulAdd(p, f, hn::Set(d, 0.24022647738456726f));
  p = hn::MulAdd(p, f, hn::Set(d, 0.6931471824645996f));
  p = hn::MulAdd(p, f, hn::Set(d, 1.0f));
  const auto exponent = hn::ShiftLeft<23>(hn::ConvertTo(di, r));
  return hn::BitCast(d, hn::Add(hn::BitCast(di, p), exponent));
}

// 2^v for v in [-126, 0].
template <class D, class V = hn::Vec<D>>
HWY_INLINE V Exp2(D d, V v) {
  const V r = hn::Round(v);
  return Exp2Parts(d, r, hn::Sub(v, r));
}

// e^v for v <= 0; below -87 it stays at e^-87.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V ExpNonPositive(D d, V v) {
  const V x = hn::Max(v, hn::Set(d, -87.0f));
  const V log2e_high = hn::Set(d, 1.44269502162933349609375f);
  const V log2e_low = hn::Set(d, 1.92596303e-8f);
  const V r = hn::Round(hn::Mul(x, log2e_high));
  const V f = hn::MulAdd(x, log2e_low, hn::MulSub(x, log2e_high, r));
  return hn::IfThenElse(hn::IsNaN(v), v, Exp2Parts(d, r, f));
}

// Phi(-t) of the normal distribution for t in [0, 6]: log2 Phi(-t) is a polynomial of degree 9
// (weighted minimax fit), so no division and no branch.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V NormalTail(D d, V t) {
  V p = hn::Set(d, 4.18766546772531e-07f);
  p = hn::MulAdd(p, t, hn::Set(d, -8.216288733819965e-06f));
  p = hn::MulAdd(p, t, hn::Set(d, 6.715454219374806e-05f));
  p = hn::MulAdd(p, t, hn::Set(d, -0.0002603768662083894f));
  p = hn::MulAdd(p, t, hn::Set(d, -2.6828793124877848e-05f));
  p = hn::MulAdd(p, t, hn::Set(d, 0.006972935050725937f));
  p = hn::MulAdd(p, t, hn::Set(d, -0.05245765671133995f));
  p = hn::MulAdd(p, t, hn::Set(d, -0.45921534299850464f));
  p = hn::MulAdd(p, t, hn::Set(d, -1.1511049270629883f));
  p = hn::MulAdd(p, t, hn::Set(d, -1.0f));
  return Exp2(d, p);
}

// x * Phi(x) = max(x, 0) - |x| * Phi(-|x|). Absolute error at most 2.4e-7 for x < 8, then half an
// ulp.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V Gelu(D d, V x) {
  const V zero = hn::Zero(d);
  const V t = hn::Min(hn::Abs(x), hn::Set(d, 6.0f));
  const V positive = hn::IfThenElse(hn::Lt(x, zero), zero, x);
  return hn::NegMulAdd(t, NormalTail(d, t), positive);
}

// Phi(x) + x * phi(x). Absolute error at most 1.2e-7.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V GeluGrad(D d, V x) {
  const V t = hn::Min(hn::Abs(x), hn::Set(d, 6.0f));
  const V half_square_log2e = hn::Mul(hn::Mul(t, t), hn::Set(d, -0.72134752044f));
  const V density = hn::Mul(Exp2(d, half_square_log2e), hn::Set(d, 0.3989422804f));
  const V negative = hn::NegMulAdd(t, density, NormalTail(d, t));
  const V grad =
      hn::IfThenElse(hn::Lt(x, hn::Zero(d)), negative, hn::Sub(hn::Set(d, 1.0f), negative));
  return hn::IfThenElse(hn::IsNaN(x), x, grad);
}

// Sets up = 1 / (1 + e^-|x|) and down = 1 - up, both to full relative precision.
template <class D, class V = hn::Vec<D>>
HWY_INLINE void LogisticPair(D d, V x, V& up, V& down) {
  const V e = ExpNonPositive(d, hn::Neg(hn::Abs(x)));
  up = hn::Div(hn::Set(d, 1.0f), hn::Add(hn::Set(d, 1.0f), e));
  down = hn::Mul(e, up);
}

// x / (1 + e^-x).
template <class D, class V = hn::Vec<D>>
HWY_INLINE V Silu(D d, V x) {
  const V low = hn::Set(d, -87.0f);
  const V bounded = hn::IfThenElse(hn::Lt(x, low), low, x);
  V up, down;
  LogisticPair(d, bounded, up, down);
  return hn::Mul(bounded, hn::IfThenElse(hn::Lt(x, hn::Zero(d)), down, up));
}

// s + x * s * (1 - s) with s = 1 / (1 + e^-x).
template <class D, class V = hn::Vec<D>>
HWY_INLINE V SiluGrad(D d, V x) {
  const V bounded = hn::Clamp(x, hn::Set(d, -87.0f), hn::Set(d, 87.0f));
  V up, down;
  LogisticPair(d, bounded, up, down);
  const auto negative = hn::Lt(x, hn::Zero(d));
  const V s = hn::IfThenElse(negative, down, up);
  const V one_minus_s = hn::IfThenElse(negative, up, down);
  const V grad = hn::MulAdd(hn::Mul(bounded, s), one_minus_s, s);
  return hn::IfThenElse(hn::IsNaN(x), x, grad);
}

// tanh(log(1 + e^x)) = up / down without overflow, of u = e^-|x|: (u^2 + 2u) / (u^2 + 2u + 2) where
// x is negative, else (1 + 2u) / (1 + 2u + 2u^2).
template <class D, class V = hn::Vec<D>>
HWY_INLINE void MishParts(D d, V x, V& u, V& up, V& down) {
  const V one = hn::Set(d, 1.0f), two = hn::Set(d, 2.0f);
  const auto negative = hn::Lt(x, hn::Zero(d));
  u = ExpNonPositive(d, hn::Neg(hn::Abs(x)));
  const V square = hn::Mul(u, u);
  up = hn::MulAdd(two, u, hn::IfThenElse(negative, square, one));
  down = hn::Add(up, hn::IfThenElse(negative, two, hn::Add(square, square)));
}

template <class D, class V = hn::Vec<D>>
HWY_INLINE V Mish(D d, V x) {
  const V low = hn::Set(d, -87.0f);
  const V bounded = hn::IfThenElse(hn::Lt(x, low), low, x);
  V u, up, down;
  MishParts(d, bounded, u, up, down);
  return hn::Mul(bounded, hn::Div(up, down));
}

// t + x (1 - t^2) s with t = up / down, s = 1 / (1 + e^-x).
template <class D, class V = hn::Vec<D>>
HWY_INLINE V MishGrad(D d, V x) {
  const V bounded = hn::Clamp(x, hn::Set(d, -87.0f), hn::Set(d, 87.0f)), one = hn::Set(d, 1.0f);
  V u, up, down;
  MishParts(d, bounded, u, up, down);
  const V r = hn::Div(one, down);
  const V power = hn::IfThenElse(hn::Lt(x, hn::Zero(d)), u, hn::Mul(u, u));
  const V slope =
      hn::Mul(hn::Mul(hn::Set(d, 4.0f), hn::Add(u, one)), hn::Mul(power, hn::Mul(r, r)));
  const V grad = hn::MulAdd(bounded, slope, hn::Mul(up, r));
  return hn::IfThenElse(hn::IsNaN(x), x, grad);
}

// x / 2 (1 + tanh(z / 2)) = x / (1 + e^-z), z = 2 sqrt(2 / pi) (x + 0.044715 x^3). Beyond +-10 it
// and its slope have reached their limits.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V GeluTanh(D d, V x) {
  const V low = hn::Set(d, -10.0f), high = hn::Set(d, 10.0f);
  const V bounded = hn::IfThenElse(hn::Lt(x, low), low, x);
  const V inner = hn::IfThenElse(hn::Gt(bounded, high), high, bounded);
  const V grad =
      hn::MulAdd(hn::Set(d, kGeluTanhCubic), hn::Mul(inner, inner), hn::Set(d, kGeluTanhLinear));
  V up, down;
  LogisticPair(d, hn::Mul(inner, grad), up, down);
  return hn::Mul(bounded, hn::IfThenElse(hn::Lt(x, hn::Zero(d)), down, up));
}

// s + x * s * (1 - s) * dz/dx with s = 1 / (1 + e^-z).
template <class D, class V = hn::Vec<D>>
HWY_INLINE V GeluTanhGrad(D d, V x) {
  const V bounded = hn::Clamp(x, hn::Set(d, -10.0f), hn::Set(d, 10.0f));
  const V square = hn::Mul(bounded, bounded), linear = hn::Set(d, kGeluTanhLinear);
  V up, down;
  LogisticPair(d, hn::Mul(bounded, hn::MulAdd(hn::Set(d, kGeluTanhCubic), square, linear)), up,
               down);
  const auto negative = hn::Lt(x, hn::Zero(d));
  const V s = hn::IfThenElse(negative, down, up);
  const V one_minus_s = hn::IfThenElse(negative, up, down);
  const V dz = hn::MulAdd(hn::Set(d, 3 * kGeluTanhCubic), square, linear);
  const V grad = hn::MulAdd(hn::Mul(hn::Mul(bounded, s), one_minus_s), dz, s);
  return hn::IfThenElse(hn::IsNaN(x), x, grad);
}

}  // namespace ebb::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
