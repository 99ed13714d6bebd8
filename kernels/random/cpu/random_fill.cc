#include "kernels/random/cpu/random_fill.h"

#include <algorithm>

#include "kernels/random/philox.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/random/cpu/random_fill.cc"
#include <hwy/foreach_target.h>
// After foreach_target.h:
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace ebb::HWY_NAMESPACE {
namespace {

using cpu::RandomSource;

#if HWY_TARGET == HWY_SCALAR

constexpr int64_t kMaxGroup = 4;
int64_t Group() { return kMaxGroup; }

void NormalGroup(const RandomSource& s, uint32_t block, float* y) {
  const PhiloxWords words = random_words(s.seed, s.stream, s.image, s.step, block);
  for (int i = 0; i < 4; i += 2) {
    const NormalPair pair = normals_from_words(words.w[i], words.w[i + 1]);
    y[i] = pair.first;
    y[i + 1] = pair.second;
  }
}

void UniformGroup(const RandomSource& s, uint32_t block, float* y) {
  const PhiloxWords words = random_words(s.seed, s.stream, s.image, s.step, block);
  for (int i = 0; i < 4; ++i) y[i] = uniform_from_word(words.w[i]);
}

#else

// The functions of kernels/random/philox.h on vectors, operation by operation, so that the bits are
// equal: plain Mul and Add, never MulAdd.
namespace hn = hwy::HWY_NAMESPACE;

using DF = hn::ScalableTag<float>;
using DI = hn::ScalableTag<int32_t>;
using DU = hn::ScalableTag<uint32_t>;
using DW = hn::ScalableTag<uint64_t>;
using VF = hn::Vec<DF>;
using VI = hn::Vec<DI>;
using VU = hn::Vec<DU>;
using VW = hn::Vec<DW>;

constexpr int64_t kMaxGroup = 4 * hn::MaxLanes(DU());
int64_t Group() { return 4 * static_cast<int64_t>(hn::Lanes(DU())); }

// Words of counters, one counter per lane.
struct Words {
  VU w[4];
};
// The same in 64-bit lanes; the high halves hold garbage that nothing reads.
struct WideWords {
  VW w[4];
};

HWY_INLINE VW Product(VW a, uint32_t multiplier) {
  return hn::MulEven(hn::BitCast(DU(), a), hn::Set(DU(), multiplier));
}

HWY_INLINE WideWords PhiloxRounds(WideWords c, uint32_t key0, uint32_t key1) {
  for (int round = 0; round < kPhiloxRounds; ++round) {
    const VW product0 = Product(c.w[0], kPhiloxMultiplier0);
    const VW product1 = Product(c.w[2], kPhiloxMultiplier1);
    c.w[0] = hn::Xor(hn::Xor(hn::ShiftRight<32>(product1), c.w[1]), hn::Set(DW(), key0));
    c.w[2] = hn::Xor(hn::Xor(hn::ShiftRight<32>(product0), c.w[3]), hn::Set(DW(), key1));
    c.w[1] = product1;
    c.w[3] = product0;
    key0 += kPhiloxWeyl0;
    key1 += kPhiloxWeyl1;
  }
  return c;
}

// Words of blocks block, block + 1, ..., one block per lane.
HWY_INLINE Words WordsOfBlocks(const RandomSource& s, uint32_t block) {
  const PhiloxWords counter = random_counter(s.stream, s.image, s.step, block);
  const uint32_t key0 = static_cast<uint32_t>(s.seed);
  const uint32_t key1 = static_cast<uint32_t>(s.seed >> 32);
  const DW dw;
  WideWords even, odd;
  even.w[0] = hn::Add(hn::Set(dw, block), hn::ShiftLeft<1>(hn::Iota(dw, 0)));
  odd.w[0] = hn::Add(even.w[0], hn::Set(dw, 1));
  for (int i = 1; i < 4; ++i) even.w[i] = odd.w[i] = hn::Set(dw, counter.w[i]);
  even = PhiloxRounds(even, key0, key1);
  odd = PhiloxRounds(odd, key0, key1);
  Words words;
  for (int i = 0; i < 4; ++i) {
    words.w[i] =
        hn::OddEven(hn::BitCast(DU(), hn::ShiftLeft<32>(odd.w[i])), hn::BitCast(DU(), even.w[i]));
  }
  return words;
}

HWY_INLINE VF ToFloat(VU v) { return hn::ConvertTo(DF(), hn::BitCast(DI(), v)); }

template <int kTerms>
HWY_INLINE VF Polynomial(const float (&coefficients)[kTerms], VF x) {
  VF sum = hn::Set(DF(), coefficients[0]);
  for (int i = 1; i < kTerms; ++i) {
    sum = hn::Add(hn::Mul(sum, x), hn::Set(DF(), coefficients[i]));
  }
  return sum;
}

HWY_INLINE VF LogOfFraction(VU i) {
  using namespace philox_math;
  constexpr Coefficients kC;
  const DF d;
  const DU du;
  const VF unit = hn::Set(d, 0x1p-31f);
  const VF u = hn::Mul(ToFloat(i), unit);
  const VF rest = hn::Mul(ToFloat(hn::Sub(hn::Set(du, 0x80000000u), i)), unit);
  const VU bits = hn::BitCast(du, u);
  const VI exponent =
      hn::ShiftRight<23>(hn::BitCast(DI(), hn::Sub(bits, hn::Set(du, kSqrtHalfBits))));
  const VU shifted = hn::ShiftLeft<23>(hn::BitCast(du, exponent));
  const VF mantissa = hn::BitCast(d, hn::Sub(bits, shifted));
  const auto near_one = hn::RebindMask(d, hn::Eq(exponent, hn::Zero(DI())));
  const VF f = hn::IfThenElse(near_one, hn::Neg(rest), hn::Add(mantissa, hn::Set(d, -1.0f)));
  const VF e = hn::ConvertTo(d, exponent), ff = hn::Mul(f, f);
  VF tail = hn::Mul(hn::Mul(Polynomial(kC.log, f), f), ff);
  tail = hn::Add(tail, hn::Mul(e, hn::Set(d, kLn2Low)));
  tail = hn::Add(tail, hn::Mul(ff, hn::Set(d, -0.5f)));
  return hn::Add(hn::Add(f, tail), hn::Mul(e, hn::Set(d, kLn2High)));
}

HWY_INLINE void Normals(VU word0, VU word1, VF& first, VF& second) {
  using namespace philox_math;
  constexpr Coefficients kC;
  const DF d;
  const DU du;
  const VU fraction = hn::Or(hn::ShiftRight<1>(word0), hn::Set(du, 1));
  const VF r = hn::Sqrt(hn::Mul(LogOfFraction(fraction), hn::Set(d, -2.0f)));

  const VU quadrant = hn::ShiftRight<30>(hn::Add(word1, hn::Set(du, 0x20000000u)));
  const VU rest = hn::Sub(word1, hn::ShiftLeft<30>(quadrant));
  const VF a = hn::Mul(ToFloat(rest), hn::Set(d, kRadiansPerUnit)), aa = hn::Mul(a, a);
  const VF sine = hn::Add(hn::Mul(hn::Mul(Polynomial(kC.sin, aa), aa), a), a);
  const VF cosine = hn::Add(
      hn::Add(hn::Mul(hn::Mul(Polynomial(kC.cos, aa), aa), aa), hn::Mul(aa, hn::Set(d, -0.5f))),
      hn::Set(d, 1.0f));

  const auto swap = hn::RebindMask(d, hn::TestBit(quadrant, hn::Set(du, 1)));
  const VU two = hn::Set(du, 2);
  const VU negate_first = hn::ShiftLeft<30>(hn::And(hn::Add(quadrant, hn::Set(du, 1)), two));
  const VU negate_second = hn::ShiftLeft<30>(hn::And(quadrant, two));
  first = hn::Xor(hn::Mul(r, hn::IfThenElse(swap, sine, cosine)), hn::BitCast(d, negate_first));
  second = hn::Xor(hn::Mul(r, hn::IfThenElse(swap, cosine, sine)), hn::BitCast(d, negate_second));
}

// The Group() numbers of consecutive blocks.
HWY_NOINLINE void NormalGroup(const RandomSource& s, uint32_t block, float* y) {
  const Words words = WordsOfBlocks(s, block);
  VF n[4];
  Normals(words.w[0], words.w[1], n[0], n[1]);
  Normals(words.w[2], words.w[3], n[2], n[3]);
  hn::StoreInterleaved4(n[0], n[1], n[2], n[3], DF(), y);
}

HWY_NOINLINE void UniformGroup(const RandomSource& s, uint32_t block, float* y) {
  const Words words = WordsOfBlocks(s, block);
  VF u[4];
  for (int i = 0; i < 4; ++i) {
    u[i] = hn::Mul(ToFloat(hn::ShiftRight<8>(words.w[i])), hn::Set(DF(), 0x1p-24f));
  }
  hn::StoreInterleaved4(u[0], u[1], u[2], u[3], DF(), y);
}

#endif

using GroupFn = void(const RandomSource&, uint32_t block, float* y);

// Numbers begin..end-1, a group at a time; the last group may be cut.
void FillGroups(GroupFn* fill_group, const RandomSource& source, int64_t begin, int64_t end,
                float* y) {
  const int64_t group = Group();
  int64_t e = begin;
  for (; e + group <= end; e += group, y += group) {
    fill_group(source, static_cast<uint32_t>(e / 4), y);
  }
  if (e == end) return;
  float last[kMaxGroup];
  fill_group(source, static_cast<uint32_t>(e / 4), last);
  std::copy(last, last + (end - e), y);
}

void FillNormal(const RandomSource& source, int64_t begin, int64_t end, float* y) {
  FillGroups(NormalGroup, source, begin, end, y);
}

void FillUniform(const RandomSource& source, int64_t begin, int64_t end, float* y) {
  FillGroups(UniformGroup, source, begin, end, y);
}

}  // namespace
}  // namespace ebb::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ebb {

HWY_EXPORT(FillNormal);
HWY_EXPORT(FillUniform);

namespace cpu {

void fill_normal(const RandomSource& source, int64_t begin, int64_t end, float* y) {
  HWY_DYNAMIC_DISPATCH(FillNormal)(source, begin, end, y);
}

void fill_uniform(const RandomSource& source, int64_t begin, int64_t end, float* y) {
  HWY_DYNAMIC_DISPATCH(FillUniform)(source, begin, end, y);
}

}  // namespace cpu
}  // namespace ebb
#endif
