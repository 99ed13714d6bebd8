#include "kernels/optimizer/fixed_sum.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "kernels/optimizer/fixed_share.h"
#include "testing/backend.h"
#include "testing/catch.h"
#include "testing/compare.h"
#include "testing/cpu_stream.h"
#include "testing/errors.h"
#include "testing/random_data.h"
#include "testing/reference/fixed_sum.h"

namespace ebb::test {
namespace {

using Sums = std::vector<uint64_t>;

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kTiny = std::numeric_limits<float>::denorm_min();
// Multiples of 2^-48 of a part that is the whole step.
const FixedShare kWhole = fixed_share(1, 1, 1);

// Adds x to the sums; returns how many elements are lost.
uint64_t add(const FixedShare& share, const std::vector<float>& x, Sums& sum, int threads = 1) {
  const std::vector<FixedShare> shares{share};
  Sums lost{5};
  KernelCall call;
  call.run(&KernelTable::add_fixed,
           {static_cast<int64_t>(x.size()), call.in(shares), call.in(x), call.inout(sum),
            call.inout(lost)},
           threads);
  return lost[0] - 5;
}

std::vector<float> floats_of(const Sums& sum, int threads = 1) {
  std::vector<float> x(sum.size());
  KernelCall call;
  call.run(&KernelTable::from_fixed, {static_cast<int64_t>(sum.size()), call.in(sum), call.out(x)},
           threads);
  return x;
}

// Sums anywhere in 64 bits, so that additions wrap and every sign occurs.
Sums some_sums(int64_t count) {
  Sums sum(static_cast<size_t>(count));
  for (size_t i = 0; i < sum.size(); ++i) sum[i] = (i + 1) * 0x9e3779b97f4a7c15u;
  return sum;
}

// Normal numbers of all magnitudes between 2^-60 and 2^17, some too large for the sums.
std::vector<float> magnitudes(int64_t count) {
  std::vector<float> x = RandomData(3).normal(count);
  for (size_t i = 0; i < x.size(); ++i) x[i] = std::ldexp(x[i], static_cast<int>(i % 78) - 60);
  return x;
}

TEST_CASE("fixed sums: every element is the reference's integer", "[kernels]") {
  const TestBackend backend(GENERATE(from_range(test_backends())));
  const int64_t count = GENERATE(0, 1, 2, 3, 4, 5, 8, 257, 40003);
  const FixedShare share = GENERATE(fixed_share(16, 128, 8), fixed_share(12, 44, 4),
                                    fixed_share(1, 3, 3), fixed_share(7, 10000, 1429));
  CAPTURE(backend.name(), count, share.scale, share.limit);
  const std::vector<float> x = magnitudes(count);
  Sums sum = some_sums(count), expected = sum;
  uint64_t lost = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    lost += reference::add_fixed(share, x[i], expected[i]) ? 1 : 0;
  }
  CHECK(add(share, x, sum) == lost);
  CHECK(sum == expected);
  if (count > 1000) CHECK((lost > 100 && lost < 10000));
}

TEST_CASE("fixed sums: rounded to the nearest, ties to even", "[kernels]") {
  const TestBackend backend(GENERATE(from_range(test_backends())));
  CAPTURE(backend.name());
  const std::vector<std::pair<double, int64_t>> cases = {
      {0.5, 0},           {1.5, 2},           {2.5, 2},    {-0.5, 0},          {-1.5, -2},
      {-2.5, -2},         {0.75, 1},          {-0.25, 0},  {0.0, 0},           {-0.0, 0},
      {0x1.fffffep-2, 0}, {0x1.000002p-1, 1}, {-1.25, -1}, {0x1p60, 1L << 60}, {3e-30, 0}};
  std::vector<float> x;
  Sums expected;
  for (const auto& [multiple, nearest] : cases) {
    x.push_back(static_cast<float>(std::ldexp(multiple, -48)));
    expected.push_back(static_cast<uint64_t>(nearest));
  }
  x.push_back(kTiny);
  x.push_back(-kTiny);
  expected.resize(x.size());
  Sums sum(x.size());
  CHECK(add(kWhole, x, sum) == 0);
  CHECK(sum == expected);
}

// The double before 0.5, to which adding 0.5 gives 1.
TEST_CASE("fixed sums: the double before a tie is not a tie", "[kernels]") {
  const TestBackend backend(GENERATE(from_range(test_backends())));
  CAPTURE(backend.name());
  const std::vector<float> x = {1, -1, 1, -1, 1};
  Sums sum(x.size());
  CHECK(add({std::nextafter(0.5, 0), 0x1p63}, x, sum) == 0);
  CHECK(sum == Sums(x.size()));
}

TEST_CASE("fixed sums: what is too large or not finite is counted and adds nothing", "[kernels]") {
  const TestBackend backend(GENERATE(from_range(test_backends())));
  CAPTURE(backend.name());
  const float below = std::nextafter(0x1p15f, 0.0f);
  const std::vector<float> kept = {below, -below, 1};
  const std::vector<float> dropped = {0x1p15f, -0x1p15f, 3e38f, -3e38f, kInf, -kInf, NAN, -NAN};
  Sums sum = some_sums(8);
  const Sums before = sum;
  CHECK(add(kWhole, dropped, sum) == 8);
  CHECK(sum == before);
  for (size_t i = 0; i < dropped.size(); ++i) {
    std::vector<float> x(7, 0.25f);
    x[i % 7] = dropped[i];
    Sums one(7);
    CHECK(add(kWhole, x, one) == 1);
    CHECK(one[i % 7] == 0);
    CHECK(one[(i + 1) % 7] == uint64_t{1} << 46);
  }
  Sums largest(3);
  CHECK(add(kWhole, kept, largest) == 0);
  CHECK(compare_bits(floats_of(largest), kept) == "");
}

TEST_CASE("fixed sums: the largest shares of all parts do not wrap", "[kernels]") {
  const TestBackend backend(GENERATE(from_range(test_backends())));
  const int64_t parts = GENERATE(1, 2, 3, 7, 8, 1025, 5000);
  CAPTURE(backend.name(), parts);
  // Parts of one image of a step of so many: a weight of 1 / parts.
  const FixedShare share = fixed_share(1, parts, parts);
  float largest = 0x1p15f;
  Sums sum(2);
  while (add(share, {largest, -largest}, sum = Sums(2)) == 2) {
    largest = std::nextafter(largest, 0.0f);
  }
  CHECK(largest > 0x1.fffff0p14f);
  CHECK(static_cast<int64_t>(sum[0]) <= std::numeric_limits<int64_t>::max() / parts);
  for (uint64_t& one : sum) one *= static_cast<uint64_t>(parts);
  const std::vector<float> total = floats_of(sum);
  CHECK(total[0] > 0x1.fffff0p14f);
  CHECK(total[1] == -total[0]);
}

TEST_CASE("fixed sums: any order and grouping of parts has the same bits", "[kernels]") {
  const TestBackend backend(GENERATE(from_range(test_backends())));
  CAPTURE(backend.name());
  constexpr int64_t kCount = 101, kParts = 6;
  RandomData random(9);
  std::vector<std::vector<float>> parts;
  for (int64_t s = 0; s < kParts; ++s) parts.push_back(random.normal(kCount));
  const auto share_of = [](size_t s) { return fixed_share(s == 5 ? 4 : 8, 44, kParts); };
  std::vector<size_t> order(kParts);
  std::iota(order.begin(), order.end(), size_t{0});
  Sums first;
  for (int trial = 0; trial < 20; ++trial) {
    const size_t ranks = 1 + static_cast<size_t>(trial) % 5;
    std::vector<Sums> of_rank(ranks, Sums(kCount));
    for (size_t k = 0; k < order.size(); ++k) {
      CHECK(add(share_of(order[k]), parts[order[k]], of_rank[k * ranks / order.size()]) == 0);
    }
    Sums total(kCount);
    for (const Sums& sum : of_rank) {
      std::transform(total.begin(), total.end(), sum.begin(), total.begin(), std::plus<>());
    }
    if (first.empty()) first = total;
    CHECK(total == first);
    for (int k = 0; k < 7; ++k) std::next_permutation(order.begin(), order.end());
  }
  // Each share is rounded to 2^-48, and the sum to f32.
  const std::vector<float> mean = floats_of(first);
  for (size_t i = 0; i < mean.size(); ++i) {
    double expected = 0;
    for (size_t s = 0; s < kParts; ++s) expected += parts[s][i] * (s == 5 ? 4.0 : 8.0) / 44;
    CHECK(std::fabs(mean[i] - expected) <= kEps32 * std::fabs(expected) + kParts * 0x1p-49);
  }
}

TEST_CASE("fixed sums: read with one rounding", "[kernels]") {
  const TestBackend backend(GENERATE(from_range(test_backends())));
  const int64_t count = GENERATE(0, 1, 2, 3, 7, 40003);
  CAPTURE(backend.name(), count);
  Sums sum = some_sums(count);
  // Every length in bits.
  for (size_t i = 0; i < sum.size(); ++i) {
    sum[i] = static_cast<uint64_t>(static_cast<int64_t>(sum[i]) >> (i % 64));
  }
  std::vector<float> expected;
  for (uint64_t v : sum) {
    const long double whole = static_cast<long double>(static_cast<int64_t>(v));
    expected.push_back(static_cast<float>(std::ldexp(whole, -48)));
  }
  CHECK(compare_bits(floats_of(sum), expected) == "");
  const std::vector<float> ends = {-0x1p15f, 0, -0x1p-48f};
  CHECK(compare_bits(floats_of({uint64_t{1} << 63, 0, ~uint64_t{0}}), ends) == "");
}

TEST_CASE("fixed sums: f32 numbers from 2^-25 on survive unchanged", "[kernels]") {
  const TestBackend backend(GENERATE(from_range(test_backends())));
  CAPTURE(backend.name());
  std::vector<float> x;
  for (int e = -25; e < 15; ++e)
    x.push_back(std::ldexp(e % 2 == 0 ? -0x1.fffffep0f : 0x1.000002p0f, e));
  Sums sum(x.size());
  CHECK(add(kWhole, x, sum) == 0);
  CHECK(compare_bits(floats_of(sum), x) == "");
}

TEST_CASE("fixed sums: threads do not change a bit", "[kernels]") {
  const int64_t count = 100003;
  const std::vector<float> x = magnitudes(count);
  const FixedShare share = fixed_share(12, 44, 4);
  Sums one = some_sums(count);
  const uint64_t lost = add(share, x, one);
  for (int threads : kThreadCounts) {
    Sums several = some_sums(count);
    CHECK(add(share, x, several, threads) == lost);
    CHECK(several == one);
    CHECK(compare_bits(floats_of(several, threads), floats_of(one)) == "");
  }
}

TEST_CASE("fixed sums: a share has to be one of its step", "[kernels]") {
  CHECK(message_of<Error>([] { fixed_share(9, 8, 1); }) == "fixed_share: 9 of 8 images in 1 parts");
  CHECK_THROWS_AS(fixed_share(0, 8, 1), Error);
  CHECK_THROWS_AS(fixed_share(1, 8, 9), Error);
  CHECK_THROWS_AS(fixed_share(1, 8, 0), Error);
}

}  // namespace
}  // namespace ebb::test
