#include "kernels/optimizer/adam.h"

#include "base/dtype.h"
#include "base/kernel_stream.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/sum_chunks.h"
#include "kernels/optimizer/adam_factors.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/optimizer/adam_cpu.cc"
#include <hwy/foreach_target.h>
// After foreach_target.h:
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace ebb::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

// One vector of elements at i, in the order of operations of torch.optim.Adam (whose lerp and
// addcmul are fused too):
//   p.mul_(1 - lr * decay);
//   m.lerp_(g, 1 - beta1); v.mul_(beta2).addcmul_(g, g, 1 - beta2);
//   p.addcdiv_(m, sqrt(v) / sqrt(1 - beta2^t) + eps, -lr / (1 - beta1^t))
template <class D>
HWY_INLINE void AdamStep(D d, const AdamFactors& f, const AdamArgs& args, int64_t i) {
  const auto g = hn::Mul(hn::LoadU(d, args.grad + i), hn::Set(d, f.grad_scale));
  auto m = hn::LoadU(d, args.m + i);
  m = hn::MulAdd(hn::Set(d, f.take_m), hn::Sub(g, m), m);
  const auto kept = hn::Mul(hn::LoadU(d, args.v + i), hn::Set(d, f.keep_v));
  const auto v = hn::MulAdd(hn::Mul(hn::Set(d, f.take_v), g), g, kept);
  const auto root = hn::Add(hn::Div(hn::Sqrt(v), hn::Set(d, f.root)), hn::Set(d, f.eps));
  const auto step = hn::Div(hn::Mul(hn::Set(d, f.minus_step), m), root);
  hn::StoreU(m, d, args.m + i);
  hn::StoreU(v, d, args.v + i);
  const auto p = hn::Mul(hn::LoadU(d, args.param + i), hn::Set(d, f.keep));
  hn::StoreU(hn::Add(p, step), d, args.param + i);
}

void AdamRange(const AdamFactors& factors, const AdamArgs& args, int64_t begin, int64_t end) {
  const hn::ScalableTag<float> d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  int64_t i = begin;
  for (; i + lanes <= end; i += lanes) AdamStep(d, factors, args, i);
  for (; i < end; ++i) AdamStep(hn::CappedTag<float, 1>(), factors, args, i);
}

}  // namespace
}  // namespace ebb::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ebb {

HWY_EXPORT(AdamRange);

namespace cpu {

void update_guard(const UpdateGuardArgs& args, KernelStream) {
  *args.guard = make_update_guard(args, std::sqrt(*args.sum_squares));
}

void adam(const AdamArgs& args, KernelStream stream) {
  if (!updates(args.guard)) return;
  const AdamFactors factors(args);
  parallel_chunks(stream.threads, args.count, [&](int64_t begin, int64_t end) {
    HWY_DYNAMIC_DISPATCH(AdamRange)(factors, args, begin, end);
    if (args.shadow == nullptr) return;
    for (int64_t i = begin; i < end; ++i) args.shadow[i] = f32_to_bf16(args.param[i]);
  });
}

void ema(const EmaArgs& args, KernelStream stream) {
  if (!updates(args.guard)) return;
  const float keep = static_cast<float>(args.decay);
  const float take = static_cast<float>(1 - args.decay);
  parallel_chunks(stream.threads, args.count, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) args.ema[i] = keep * args.ema[i] + take * args.param[i];
  });
}

int64_t sum_squares_workspace_bytes(int64_t count) { return sum_chunks_bytes(count); }

void sum_squares(const SumSquaresArgs& args, KernelStream stream) {
  const auto square = [&](int64_t i) { return static_cast<double>(args.x[i]) * args.x[i]; };
  *args.result = sum_chunks(stream.threads, args.count, args.workspace, square);
}

}  // namespace cpu
}  // namespace ebb
#endif
