#include "kernels/pointwise/activation.h"

#include "base/kernel_stream.h"
#include "kernels/cpu/f32.h"
#include "kernels/cpu/parallel.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/pointwise/activation_cpu.cc"
#include <hwy/foreach_target.h>
// After foreach_target.h:
#include <hwy/highway.h>

#include "kernels/pointwise/cpu/activation-inl.h"

HWY_BEFORE_NAMESPACE();
namespace ebb::HWY_NAMESPACE {
namespace {

template <Activation kActivation, class D>
HWY_INLINE void ForwardStep(D d, const float* x, float* y) {
  hn::StoreU(Activate<kActivation>(d, hn::LoadU(d, x)), d, y);
}

template <Activation kActivation>
void Forward(const float* x, float* y, int64_t count) {
  const hn::ScalableTag<float> d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  int64_t i = 0;
  for (; i + lanes <= count; i += lanes) ForwardStep<kActivation>(d, x + i, y + i);
  for (; i < count; ++i) ForwardStep<kActivation>(OneLane(), x + i, y + i);
}

template <Activation kActivation, class D>
HWY_INLINE void BackwardStep(D d, const float* x, const float* dy, float* dx) {
  hn::StoreU(ActivateGrad<kActivation>(d, hn::LoadU(d, x), hn::LoadU(d, dy)), d, dx);
}

template <Activation kActivation>
void Backward(const float* x, const float* dy, float* dx, int64_t count) {
  const hn::ScalableTag<float> d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  int64_t i = 0;
  for (; i + lanes <= count; i += lanes) BackwardStep<kActivation>(d, x + i, dy + i, dx + i);
  for (; i < count; ++i) BackwardStep<kActivation>(OneLane(), x + i, dy + i, dx + i);
}

void ActivationForward(Activation activation, const float* x, float* y, int64_t count) {
  switch (activation) {
    case Activation::kNone:
      return Forward<Activation::kNone>(x, y, count);
    case Activation::kGelu:
      return Forward<Activation::kGelu>(x, y, count);
    case Activation::kSilu:
      return Forward<Activation::kSilu>(x, y, count);
    case Activation::kGeluTanh:
      return Forward<Activation::kGeluTanh>(x, y, count);
    case Activation::kMish:
      return Forward<Activation::kMish>(x, y, count);
    case Activation::kRelu:
      return Forward<Activation::kRelu>(x, y, count);
  }
}

void ActivationBackward(Activation activation, const float* x, const float* dy, float* dx,
                        int64_t count) {
  switch (activation) {
    case Activation::kNone:
      return Backward<Activation::kNone>(x, dy, dx, count);
    case Activation::kGelu:
      return Backward<Activation::kGelu>(x, dy, dx, count);
    case Activation::kSilu:
      return Backward<Activation::kSilu>(x, dy, dx, count);
    case Activation::kGeluTanh:
      return Backward<Activation::kGeluTanh>(x, dy, dx, count);
    case Activation::kMish:
      return Backward<Activation::kMish>(x, dy, dx, count);
    case Activation::kRelu:
      return Backward<Activation::kRelu>(x, dy, dx, count);
  }
}

}  // namespace
}  // namespace ebb::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ebb {

HWY_EXPORT(ActivationForward);
HWY_EXPORT(ActivationBackward);

namespace cpu {

void activation_forward(const ActivationArgs& args, KernelStream stream) {
  require_f32("activation", args.dtype);
  parallel_chunks(stream.threads, args.count, [&](int64_t begin, int64_t end) {
    HWY_DYNAMIC_DISPATCH(ActivationForward)
    (args.activation, as_f32(args.x) + begin, as_f32(args.y) + begin, end - begin);
  });
}

void activation_backward(const ActivationBackwardArgs& args, KernelStream stream) {
  require_f32("activation", args.dtype);
  parallel_chunks(stream.threads, args.count, [&](int64_t begin, int64_t end) {
    HWY_DYNAMIC_DISPATCH(ActivationBackward)
    (args.activation, as_f32(args.x) + begin, as_f32(args.dy) + begin, as_f32(args.dx) + begin,
     end - begin);
  });
}

}  // namespace cpu
}  // namespace ebb
#endif
