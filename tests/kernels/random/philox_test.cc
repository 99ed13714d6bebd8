#include "kernels/random/philox.h"

#include <cmath>
#include <numbers>
#include <set>
#include <tuple>
#include <vector>

#include "testing/catch.h"
#include "testing/random_data.h"

namespace ebb::test {
namespace {

bool equal(const PhiloxWords& a, const PhiloxWords& b) {
  return std::equal(std::begin(a.w), std::end(a.w), std::begin(b.w));
}

// Random123 1.14, tests/kat_vectors, philox4x32 10.
TEST_CASE("philox: known answers of Random123", "[kernels]") {
  constexpr uint32_t kOnes = 0xffffffffu;
  CHECK(equal(philox_4x32_10({{0, 0, 0, 0}}, 0, 0),
              {{0x6627e8d5u, 0xe169c58du, 0xbc57ac4cu, 0x9b00dbd8u}}));
  CHECK(equal(philox_4x32_10({{kOnes, kOnes, kOnes, kOnes}}, kOnes, kOnes),
              {{0x408f276du, 0x41c83b0eu, 0xa20bc7c6u, 0x6d5451fdu}}));
  CHECK(equal(philox_4x32_10({{0x243f6a88u, 0x85a308d3u, 0x13198a2eu, 0x03707344u}}, 0xa4093822u,
                             0x299f31d0u),
              {{0xd16cfe09u, 0x94fdccebu, 0x5001e420u, 0x24126ea1u}}));
}

TEST_CASE("philox: works at compile time", "[kernels]") {
  static_assert(philox_4x32_10({{0, 0, 0, 0}}, 0, 0).w[0] == 0x6627e8d5u);
  static_assert(uniform_from_word(0xffffffffu) < 1.0f);
  SUCCEED();
}

TEST_CASE("philox: different places have different counters", "[kernels]") {
  const uint64_t images[] = {0, 1, 0xffffffffu, uint64_t{1} << 32, kRandomImages - 1};
  std::set<std::tuple<uint32_t, uint32_t, uint32_t, uint32_t>> seen;
  size_t places = 0;
  for (uint32_t stream = 0; stream <= static_cast<uint32_t>(RandomStream::kSampler); ++stream) {
    for (uint64_t image : images) {
      for (uint32_t step : {0u, 1u, 0xffffffffu}) {
        for (uint32_t block : {0u, 1u, 0xffffffffu}) {
          const PhiloxWords c =
              random_counter(static_cast<RandomStream>(stream), image, step, block);
          seen.emplace(c.w[0], c.w[1], c.w[2], c.w[3]);
          ++places;
        }
      }
    }
  }
  CHECK(seen.size() == places);
}

TEST_CASE("philox: words map to numbers of their range", "[kernels]") {
  CHECK(uniform_from_word(0) == 0.0f);
  CHECK(uniform_from_word(0x80000000u) == 0.5f);
  CHECK(uniform_from_word(0xffffffffu) == 1.0f - 0x1p-24f);
  CHECK(below_from_word(0, 1000) == 0);
  CHECK(below_from_word(0xffffffffu, 1000) == 999);
  CHECK(below_from_word(0x80000000u, 1000) == 500);
  CHECK(below_from_word(12345, uint64_t{1} << 32) == 12345);
}

// Largest error over r of both normals of a pair against the formula in double.
double pair_error(uint32_t word0, uint32_t word1) {
  const double u = (static_cast<double>(word0 >> 2) + 0.5) * 0x1p-30;
  const double r = std::sqrt(-2 * std::log(u));
  const double angle = 2 * std::numbers::pi * word1 * 0x1p-32;
  const NormalPair pair = normals_from_words(word0, word1);
  return std::fmax(std::fabs(pair.first - r * std::cos(angle)),
                   std::fabs(pair.second - r * std::sin(angle))) /
         r;
}

TEST_CASE("philox: normals are within 4 roundings of Box and Muller's formula", "[kernels]") {
  const std::vector<uint32_t> edges = {
      0,           1,           2,           3,           4,           7,           0x1fffffffu,
      0x20000000u, 0x3fffffffu, 0x40000000u, 0x5a827998u, 0x5a827999u, 0x60000000u, 0x7fffffffu,
      0x80000000u, 0x9fffffffu, 0xa0000000u, 0xb504f333u, 0xb504f334u, 0xc0000000u, 0xdfffffffu,
      0xe0000000u, 0xf0000000u, 0xfffffff0u, 0xfffffffcu, 0xffffffffu};
  double worst = 0;
  for (uint32_t word0 : edges) {
    for (uint32_t word1 : edges) worst = std::fmax(worst, pair_error(word0, word1));
  }
  RandomData random(1);
  for (int i = 0; i < 1000000; ++i) {
    const auto word0 = static_cast<uint32_t>(random.integer(0, 0xffffffffu));
    const auto word1 = static_cast<uint32_t>(random.integer(0, 0xffffffffu));
    worst = std::fmax(worst, pair_error(word0, word1));
  }
  CHECK(worst < 4 * 0x1p-24);
  CHECK(worst > 0);
}

TEST_CASE("philox: the shortest and longest radius are finite", "[kernels]") {
  const NormalPair longest = normals_from_words(0, 0);
  CHECK(longest.first == Approx(std::sqrt(62 * std::numbers::ln2)));
  CHECK(longest.second == 0.0f);
  const NormalPair shortest = normals_from_words(0xffffffffu, 0);
  CHECK(shortest.first == Approx(0x1p-15f));
}

}  // namespace
}  // namespace ebb::test
