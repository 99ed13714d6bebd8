#pragma once

#include <bit>
#include <cmath>
#include <cstdint>

#include "kernels/random/random.h"
#include "kernels/simt/host_device.h"

// Philox 4x32-10 (Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy as 1, 2, 3", SC
// 2011) and the numbers made of its words, for host and device code.
//
// Every device gives the same bits: the float steps below are single IEEE operations (+, *, sqrt,
// int -> float), each rounded to nearest, in a fixed order. Nothing calls libm and nothing may be
// contracted to FMA (host code builds with -ffp-contract=off, device code uses the _rn intrinsics).
namespace ebb {

inline constexpr int kPhiloxRounds = 10;
inline constexpr uint32_t kPhiloxMultiplier0 = 0xD2511F53u, kPhiloxMultiplier1 = 0xCD9E8D57u;
inline constexpr uint32_t kPhiloxWeyl0 = 0x9E3779B9u;  // golden ratio
inline constexpr uint32_t kPhiloxWeyl1 = 0xBB67AE85u;  // sqrt(3) - 1

struct PhiloxWords {
  uint32_t w[4];
};

// The words of one (counter, key) pair.
EBB_HOST_DEVICE constexpr PhiloxWords philox_4x32_10(PhiloxWords counter, uint32_t key0,
                                                     uint32_t key1) {
  uint32_t c0 = counter.w[0], c1 = counter.w[1], c2 = counter.w[2], c3 = counter.w[3];
  for (int round = 0; round < kPhiloxRounds; ++round) {
    const uint64_t product0 = uint64_t{kPhiloxMultiplier0} * c0;
    const uint64_t product1 = uint64_t{kPhiloxMultiplier1} * c2;
    c0 = static_cast<uint32_t>(product1 >> 32) ^ c1 ^ key0;
    c1 = static_cast<uint32_t>(product1);
    c2 = static_cast<uint32_t>(product0 >> 32) ^ c3 ^ key1;
    c3 = static_cast<uint32_t>(product0);
    key0 += kPhiloxWeyl0;
    key1 += kPhiloxWeyl1;
  }
  return {{c0, c1, c2, c3}};
}

// Limits of the counter layout below.
inline constexpr uint64_t kRandomImages = uint64_t{1} << 56;
inline constexpr int64_t kRandomElements = int64_t{1} << 34;  // per image

// Counter layout: one counter gives the words of elements 4 * block .. 4 * block + 3.
//   key     = seed low, seed high
//   counter = block, step, image low 32 bits, stream << 24 | image high 24 bits
EBB_HOST_DEVICE constexpr PhiloxWords random_counter(RandomStream stream, uint64_t image,
                                                     uint32_t step, uint32_t block) {
  return {{block, step, static_cast<uint32_t>(image),
           static_cast<uint32_t>(stream) << 24 | static_cast<uint32_t>(image >> 32)}};
}

EBB_HOST_DEVICE constexpr PhiloxWords random_words(uint64_t seed, RandomStream stream,
                                                   uint64_t image, uint32_t step, uint32_t block) {
  return philox_4x32_10(random_counter(stream, image, step, block), static_cast<uint32_t>(seed),
                        static_cast<uint32_t>(seed >> 32));
}

// Uniform in [0, 1): a multiple of 2^-24, exact.
EBB_HOST_DEVICE constexpr float uniform_from_word(uint32_t word) {
  return static_cast<float>(word >> 8) * 0x1p-24f;
}

// Uniform in 0..n-1 for 1 <= n <= 2^32; probabilities differ from 1/n by less than 2^-32.
EBB_HOST_DEVICE constexpr uint32_t below_from_word(uint32_t word, uint64_t n) {
  return static_cast<uint32_t>(word * n >> 32);
}

namespace philox_math {

EBB_HOST_DEVICE inline float add(float a, float b) {
#if defined(__CUDA_ARCH__)
  return __fadd_rn(a, b);
#else
  return a + b;
#endif
}

EBB_HOST_DEVICE inline float mul(float a, float b) {
#if defined(__CUDA_ARCH__)
  return __fmul_rn(a, b);
#else
  return a * b;
#endif
}

EBB_HOST_DEVICE inline float square_root(float a) {
#if defined(__CUDA_ARCH__)
  return __fsqrt_rn(a);
#else
  return std::sqrt(a);
#endif
}

// Polynomials of Cephes (Moshier), single precision; highest power first.
inline constexpr int kLogTerms = 9, kSinTerms = 3, kCosTerms = 3;
struct Coefficients {
  float log[kLogTerms] = {7.0376836292e-2f,  -1.1514610310e-1f, 1.1676998740e-1f,
                          -1.2420140846e-1f, 1.4249322787e-1f,  -1.6668057665e-1f,
                          2.0000714765e-1f,  -2.4999993993e-1f, 3.3333331174e-1f};
  float sin[kSinTerms] = {-1.9515295891e-4f, 8.3321608736e-3f, -1.6666654611e-1f};
  float cos[kCosTerms] = {2.443315711809948e-5f, -1.388731625493765e-3f, 4.166664568298827e-2f};
};
inline constexpr uint32_t kSqrtHalfBits =
    0x3f3504f3u;                                 // sqrt(1/2): mantissas lie in [0.707, 1.414)
inline constexpr float kLn2High = 0.693359375f;  // 9 bits, so that exponent * high is exact
inline constexpr float kLn2Low = -2.12194440e-4f;
inline constexpr float kRadiansPerUnit = 0x1.921fb6p-30f;  // 2 pi / 2^32

template <int kTerms>
EBB_HOST_DEVICE inline float polynomial(const float (&coefficients)[kTerms], float x) {
  float sum = coefficients[0];
  for (int i = 1; i < kTerms; ++i) sum = add(mul(sum, x), coefficients[i]);
  return sum;
}

// Natural logarithm of u = i / 2^31, 1 <= i < 2^31. Near 1 it starts from 1 - u, which f32 holds
// better than u.
EBB_HOST_DEVICE inline float log_of_fraction(uint32_t i) {
  constexpr Coefficients kC;
  const float u = mul(static_cast<float>(static_cast<int32_t>(i)), 0x1p-31f);
  const float rest = mul(static_cast<float>(static_cast<int32_t>(0x80000000u - i)), 0x1p-31f);
  const uint32_t bits = std::bit_cast<uint32_t>(u);
  const int32_t exponent = static_cast<int32_t>(bits - kSqrtHalfBits) >> 23;
  const float mantissa = std::bit_cast<float>(bits - (static_cast<uint32_t>(exponent) << 23));
  const float f = exponent == 0 ? -rest : add(mantissa, -1.0f);
  const float e = static_cast<float>(exponent), ff = mul(f, f);
  float tail = mul(mul(polynomial(kC.log, f), f), ff);
  tail = add(tail, mul(e, kLn2Low));
  tail = add(tail, mul(ff, -0.5f));
  return add(add(f, tail), mul(e, kLn2High));
}

}  // namespace philox_math

struct NormalPair {
  float first, second;
};

// Two independent standard normals from two words (Box & Muller 1958):
//   r = sqrt(-2 ln u), u = (word0 / 2 | 1) / 2^31: midpoints of 2^30 cells, so r <= 6.56
//   (r cos a, r sin a), a = 2 pi word1 / 2^32, reduced to [-pi/4, pi/4] in integers
// Both are within 4 * 2^-24 r of the exact formula (3.5 measured).
EBB_HOST_DEVICE inline NormalPair normals_from_words(uint32_t word0, uint32_t word1) {
  using namespace philox_math;
  constexpr Coefficients kC;
  const float r = square_root(mul(log_of_fraction(word0 >> 1 | 1u), -2.0f));

  const uint32_t quadrant = (word1 + 0x20000000u) >> 30;
  const int32_t rest = static_cast<int32_t>(word1 - (quadrant << 30));
  const float a = mul(static_cast<float>(rest), kRadiansPerUnit), aa = mul(a, a);
  const float sine = add(mul(mul(polynomial(kC.sin, aa), aa), a), a);
  const float cosine = add(add(mul(mul(polynomial(kC.cos, aa), aa), aa), mul(aa, -0.5f)), 1.0f);

  const bool swap = (quadrant & 1u) != 0;
  const uint32_t negate_first = ((quadrant + 1) & 2u) << 30, negate_second = (quadrant & 2u) << 30;
  const float first = mul(r, swap ? sine : cosine), second = mul(r, swap ? cosine : sine);
  return {std::bit_cast<float>(std::bit_cast<uint32_t>(first) ^ negate_first),
          std::bit_cast<float>(std::bit_cast<uint32_t>(second) ^ negate_second)};
}

}  // namespace ebb
