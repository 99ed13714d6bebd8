#include "kernels/optimizer/fixed_sum.h"

#include <atomic>

#include "base/kernel_stream.h"
#include "kernels/cpu/parallel.h"
#include "kernels/optimizer/fixed_share.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/optimizer/fixed_sum_cpu.cc"
#include <hwy/foreach_target.h>
// After foreach_target.h:
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace ebb::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

// To the nearest integer, ties to even: above 2^52 every double is one, and below it adding 2^52
// leaves no bits for a fraction. Highway's Round() is off by one for the double before 0.5 where
// it has no instruction for it.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V Nearest(D d, V v) {
  const V large = hn::Set(d, 0x1p52);
  const V shift = hn::CopySign(large, v);
  return hn::IfThenElse(hn::Lt(hn::Abs(v), large), hn::Sub(hn::Add(v, shift), shift), v);
}

// One vector of elements at i. Returns how many are lost.
template <class D>
HWY_INLINE size_t AddStep(D d, const FixedShare& share, const AddFixedArgs& args, int64_t i) {
  const hn::Rebind<float, D> narrow;
  const hn::Rebind<int64_t, D> integer;
  const auto x = hn::PromoteTo(d, hn::LoadU(narrow, args.x + i));
  const auto nearest = Nearest(d, hn::Mul(x, hn::Set(d, share.scale)));
  const auto fits = hn::Lt(hn::Abs(nearest), hn::Set(d, share.limit));
  const auto added = hn::ConvertTo(integer, hn::IfThenElseZero(fits, nearest));
  const hn::RebindToUnsigned<decltype(integer)> whole;
  const auto sum = hn::LoadU(whole, args.sum + i);
  hn::StoreU(hn::Add(sum, hn::BitCast(whole, added)), whole, args.sum + i);
  return hn::Lanes(d) - hn::CountTrue(d, fits);
}

uint64_t AddRange(const AddFixedArgs& args, int64_t begin, int64_t end) {
  const hn::ScalableTag<double> d;
  const FixedShare share = *args.share;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  uint64_t lost = 0;
  int64_t i = begin;
  for (; i + lanes <= end; i += lanes) lost += AddStep(d, share, args, i);
  for (; i < end; ++i) lost += AddStep(hn::CappedTag<double, 1>(), share, args, i);
  return lost;
}

}  // namespace
}  // namespace ebb::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ebb {

HWY_EXPORT(AddRange);

namespace cpu {

void add_fixed(const AddFixedArgs& args, KernelStream stream) {
  parallel_chunks(stream.threads, args.count, [&](int64_t begin, int64_t end) {
    const uint64_t lost = HWY_DYNAMIC_DISPATCH(AddRange)(args, begin, end);
    if (lost > 0) std::atomic_ref(*args.lost).fetch_add(lost, std::memory_order_relaxed);
  });
}

void from_fixed(const FromFixedArgs& args, KernelStream stream) {
  parallel_chunks(stream.threads, args.count, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) args.x[i] = from_fixed_number(args.sum[i]);
  });
}

}  // namespace cpu
}  // namespace ebb
#endif
