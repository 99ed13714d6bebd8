#include "kernels/norm/cpu/batch_norm_passes.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/norm/cpu/batch_norm_passes.cc"
#include <hwy/foreach_target.h>
// After foreach_target.h:
#include <hwy/highway.h>

#include "kernels/pointwise/cpu/activation-inl.h"

HWY_BEFORE_NAMESPACE();
namespace ebb::HWY_NAMESPACE {
namespace {

using cpu::ChannelAffine;
using cpu::ChannelRows;

// Calls step(d, offset, c) for every vector of every row, offset = row * pitch + c; what is left of
// a row goes lane by lane.
template <class Step>
HWY_INLINE void ForEachVector(const ChannelRows& size, const Step& step) {
  const hn::ScalableTag<float> d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  for (int64_t row = 0; row < size.rows; ++row) {
    const int64_t start = row * size.pitch;
    int64_t c = 0;
    for (; c + lanes <= size.c; c += lanes) step(d, start + c, c);
    for (; c < size.c; ++c) step(OneLane(), start + c, c);
  }
}

template <class D>
HWY_INLINE void Accumulate(D d, hn::Vec<D> v, float* sum) {
  hn::StoreU(hn::Add(hn::LoadU(d, sum), v), d, sum);
}

template <class D>
HWY_INLINE void AccumulateProduct(D d, hn::Vec<D> a, hn::Vec<D> b, float* sum) {
  hn::StoreU(hn::MulAdd(a, b, hn::LoadU(d, sum)), d, sum);
}

struct SumStep {
  const float* x;
  float* sum;

  template <class D>
  HWY_INLINE void operator()(D d, int64_t i, int64_t c) const {
    Accumulate(d, hn::LoadU(d, x + i), sum + c);
  }
};

struct DeviationStep {
  const float* x;
  const float* center;
  float* sum;
  float* squares;

  template <class D>
  HWY_INLINE void operator()(D d, int64_t i, int64_t c) const {
    const auto deviation = hn::Sub(hn::LoadU(d, x + i), hn::LoadU(d, center + c));
    Accumulate(d, deviation, sum + c);
    AccumulateProduct(d, deviation, deviation, squares + c);
  }
};

// x - mean and z of one vector.
template <class D>
struct Normalized {
  hn::Vec<D> centered, z;

  HWY_INLINE Normalized(D d, const ChannelAffine& affine, const float* x, int64_t c)
      : centered(hn::Sub(hn::LoadU(d, x), hn::LoadU(d, affine.mean + c))),
        z(hn::MulAdd(centered, hn::LoadU(d, affine.scale + c), hn::LoadU(d, affine.shift + c))) {}
};

template <Activation kActivation>
struct AffineStep {
  ChannelAffine affine;
  const float* x;
  float* y;

  template <class D>
  HWY_INLINE void operator()(D d, int64_t i, int64_t c) const {
    const Normalized<D> v(d, affine, x + i, c);
    hn::StoreU(Activate<kActivation>(d, v.z), d, y + i);
  }
};

template <Activation kActivation>
struct ActivationGradientStep {
  ChannelAffine affine;
  const float* x;
  const float* dy;
  float* dz;
  float* dz_sum;
  float* product_sum;

  template <class D>
  HWY_INLINE void operator()(D d, int64_t i, int64_t c) const {
    const Normalized<D> v(d, affine, x + i, c);
    const auto gradient = ActivateGrad<kActivation>(d, v.z, hn::LoadU(d, dy + i));
    hn::StoreU(gradient, d, dz + i);
    Accumulate(d, gradient, dz_sum + c);
    AccumulateProduct(d, gradient, v.centered, product_sum + c);
  }
};

struct NormGradientStep {
  const float* mean;
  const float* scale;
  const float* offset;
  const float* grad;
  const float* x;
  float* dz;

  template <class D>
  HWY_INLINE void operator()(D d, int64_t i, int64_t c) const {
    const auto centered = hn::Sub(hn::LoadU(d, x + i), hn::LoadU(d, mean + c));
    const auto scaled =
        hn::MulSub(hn::LoadU(d, dz + i), hn::LoadU(d, scale + c), hn::LoadU(d, offset + c));
    hn::StoreU(hn::NegMulAdd(centered, hn::LoadU(d, grad + c), scaled), d, dz + i);
  }
};

// Runs Step<activation>{args...} over the rows.
template <template <Activation> class Step, class... Args>
HWY_INLINE void ForEachVectorOf(const ChannelRows& size, Activation activation, Args... args) {
  switch (activation) {
    case Activation::kNone:
      return ForEachVector(size, Step<Activation::kNone>{args...});
    case Activation::kGelu:
      return ForEachVector(size, Step<Activation::kGelu>{args...});
    case Activation::kSilu:
      return ForEachVector(size, Step<Activation::kSilu>{args...});
    case Activation::kGeluTanh:
      return ForEachVector(size, Step<Activation::kGeluTanh>{args...});
    case Activation::kMish:
    case Activation::kRelu:
      break;  // not fusable
  }
}

void SumRows(const ChannelRows& size, const float* x, float* sum) {
  ForEachVector(size, SumStep{x, sum});
}

void SumDeviations(const ChannelRows& size, const float* x, const float* center, float* sum,
                   float* squares) {
  ForEachVector(size, DeviationStep{x, center, sum, squares});
}

void ApplyAffine(const ChannelRows& size, Activation activation, const ChannelAffine& affine,
                 const float* x, float* y) {
  ForEachVectorOf<AffineStep>(size, activation, affine, x, y);
}

void ActivationGradients(const ChannelRows& size, Activation activation,
                         const ChannelAffine& affine, const float* x, const float* dy, float* dz,
                         float* dz_sum, float* product_sum) {
  ForEachVectorOf<ActivationGradientStep>(size, activation, affine, x, dy, dz, dz_sum, product_sum);
}

void NormGradients(const ChannelRows& size, const float* mean, const float* scale,
                   const float* offset, const float* grad, const float* x, float* dz) {
  ForEachVector(size, NormGradientStep{mean, scale, offset, grad, x, dz});
}

}  // namespace
}  // namespace ebb::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ebb {

HWY_EXPORT(SumRows);
HWY_EXPORT(SumDeviations);
HWY_EXPORT(ApplyAffine);
HWY_EXPORT(ActivationGradients);
HWY_EXPORT(NormGradients);

namespace cpu {

void sum_rows(const ChannelRows& size, const float* x, float* sum) {
  HWY_DYNAMIC_DISPATCH(SumRows)(size, x, sum);
}

void sum_deviations(const ChannelRows& size, const float* x, const float* center, float* sum,
                    float* squares) {
  HWY_DYNAMIC_DISPATCH(SumDeviations)(size, x, center, sum, squares);
}

void apply_affine(const ChannelRows& size, Activation activation, const ChannelAffine& affine,
                  const float* x, float* y) {
  HWY_DYNAMIC_DISPATCH(ApplyAffine)(size, activation, affine, x, y);
}

void activation_gradients(const ChannelRows& size, Activation activation,
                          const ChannelAffine& affine, const float* x, const float* dy, float* dz,
                          float* dz_sum, float* product_sum) {
  HWY_DYNAMIC_DISPATCH(ActivationGradients)
  (size, activation, affine, x, dy, dz, dz_sum, product_sum);
}

void norm_gradients(const ChannelRows& size, const float* mean, const float* scale,
                    const float* offset, const float* grad, const float* x, float* dz) {
  HWY_DYNAMIC_DISPATCH(NormGradients)(size, mean, scale, offset, grad, x, dz);
}

}  // namespace cpu
}  // namespace ebb
#endif
