#include "kernels/random/random.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/error.h"
#include "kernels/random/philox.h"
#include "testing/backend.h"
#include "testing/catch.h"
#include "testing/compare.h"
#include "testing/cpu_stream.h"
#include "testing/reference/activation.h"

namespace ebb::test {
namespace {

RandomFillArgs fill_args(int64_t n, int64_t elements) {
  return {1234567890123456789u, RandomStream::kNoise, 77, 5, n, elements, nullptr};
}

using FillKernel = KernelEntry<void(const RandomFillArgs&, KernelStream)> KernelTable::*;

std::vector<float> fill(FillKernel kernel, RandomFillArgs args, int threads) {
  std::vector<float> y(static_cast<size_t>(args.n * args.elements), NAN);
  KernelCall call;
  args.y = call.out(y);
  call.run(kernel, args, threads);
  return y;
}
std::vector<float> normals(const RandomFillArgs& args, int threads = 1) {
  return fill(&KernelTable::random_normal, args, threads);
}
std::vector<float> uniforms(const RandomFillArgs& args, int threads = 1) {
  return fill(&KernelTable::random_uniform, args, threads);
}

// Element e of image i by the definitions in kernels/random/philox.h, one at a time.
float normal_at(const RandomFillArgs& args, int64_t i, int64_t e) {
  const PhiloxWords words =
      random_words(args.seed, args.stream, args.image0 + static_cast<uint64_t>(i), args.step,
                   static_cast<uint32_t>(e / 4));
  const int64_t first = e % 4 / 2 * 2;
  const NormalPair pair = normals_from_words(words.w[first], words.w[first + 1]);
  return e % 2 == 0 ? pair.first : pair.second;
}
float uniform_at(const RandomFillArgs& args, int64_t i, int64_t e) {
  return uniform_from_word(random_words(args.seed, args.stream,
                                        args.image0 + static_cast<uint64_t>(i), args.step,
                                        static_cast<uint32_t>(e / 4))
                               .w[e % 4]);
}

TEST_CASE("random: every backend gives the bits of the definition", "[kernels]") {
  const TestBackend backend(GENERATE(from_range(test_backends())));
  const int64_t elements = GENERATE(1, 2, 3, 4, 5, 31, 32, 33, 63, 64, 65, 784, 20001);
  CAPTURE(backend.name(), elements);
  const RandomFillArgs args = fill_args(3, elements);
  std::vector<float> normal, uniform;
  for (int64_t i = 0; i < args.n; ++i) {
    for (int64_t e = 0; e < elements; ++e) {
      normal.push_back(normal_at(args, i, e));
      uniform.push_back(uniform_at(args, i, e));
    }
  }
  CHECK(compare_bits(normals(args), normal) == "");
  CHECK(compare_bits(uniforms(args), uniform) == "");
}

TEST_CASE("random: the numbers of a seed never change", "[kernels]") {
  const TestBackend backend(GENERATE(from_range(test_backends())));
  CAPTURE(backend.name());
  const RandomFillArgs args = {42, RandomStream::kStart, 0, 0, 1, 6, nullptr};
  const std::vector<float> normal = {-0x1.2cc726p-2f, 0x1.411fe2p-2f, -0x1.44716ap+0f,
                                     -0x1.11c1eap-1f, 0x1.692db2p-2f, 0x1.364a92p-4f};
  const std::vector<float> uniform = {0x1.d2da6p-1f,  0x1.7aab7cp-2f, 0x1.8d9854p-2f,
                                      0x1.208848p-1f, 0x1.dfbe5ep-1f, 0x1.13d5cp-5f};
  CHECK(compare_bits(normals(args), normal) == "");
  CHECK(compare_bits(uniforms(args), uniform) == "");
}

TEST_CASE("random: an image does not depend on its batch nor on threads", "[kernels]") {
  const TestBackend backend(GENERATE(from_range(test_backends())));
  CAPTURE(backend.name());
  const RandomFillArgs args = fill_args(7, 20001);
  const std::vector<float> batch = normals(args), uniform_batch = uniforms(args);
  for (int threads : kThreadCounts) {
    CHECK(compare_bits(normals(args, threads), batch) == "");
    CHECK(compare_bits(uniforms(args, threads), uniform_batch) == "");
  }
  RandomFillArgs alone = args;
  alone.image0 += 4;
  alone.n = 1;
  CHECK(compare_bits(normals(alone), std::span(batch).subspan(4 * 20001, 20001)) == "");
  CHECK(compare_bits(uniforms(alone), std::span(uniform_batch).subspan(4 * 20001, 20001)) == "");
}

TEST_CASE("random: places outside the counter are refused", "[kernels]") {
  const TestBackend backend(GENERATE(from_range(test_backends())));
  RandomFillArgs args = fill_args(2, 1);
  args.image0 = kRandomImages - 1;
  CHECK_THROWS_AS(current_kernels().random_normal.fn(args, {}), ShapeError);
  args.image0 = ~uint64_t{0};
  CHECK_THROWS_AS(current_kernels().random_uniform.fn(args, {}), ShapeError);
  args = fill_args(1, kRandomElements + 1);
  CHECK_THROWS_AS(current_kernels().random_normal.fn(args, {}), ShapeError);
}

// Largest distance between the empirical and the true distribution function.
template <typename Cdf>
double kolmogorov_distance(std::vector<float> sample, const Cdf& cdf) {
  std::sort(sample.begin(), sample.end());
  const double n = static_cast<double>(sample.size());
  double worst = 0;
  for (size_t i = 0; i < sample.size(); ++i) {
    const double f = cdf(sample[i]), below = static_cast<double>(i) / n;
    worst = std::max({worst, std::fabs(f - below), std::fabs(f - below - 1 / n)});
  }
  return worst;
}

constexpr int64_t kSample = 1 << 20;
const double kRoot = std::sqrt(static_cast<double>(kSample));

double moment(const std::vector<float>& sample, int power) {
  double sum = 0;
  for (float v : sample) sum += std::pow(static_cast<double>(v), power);
  return sum / static_cast<double>(sample.size());
}

// Bounds are four standard deviations of each statistic, and 1.95 / sqrt(n) for Kolmogorov's
// (exceeded with probability 0.001 by true normals).
TEST_CASE("random: normals have the moments and the distribution of a normal", "[kernels]") {
  const std::vector<float> y = normals(fill_args(4, kSample / 4));
  CHECK(std::fabs(moment(y, 1)) < 4 / kRoot);
  CHECK(std::fabs(moment(y, 2) - 1) < 4 * std::sqrt(2.0) / kRoot);
  CHECK(std::fabs(moment(y, 3)) < 4 * std::sqrt(15.0) / kRoot);
  CHECK(std::fabs(moment(y, 4) - 3) < 4 * std::sqrt(96.0) / kRoot);
  CHECK(kolmogorov_distance(y, reference::normal_cdf) < 1.95 / kRoot);
}

TEST_CASE("random: uniforms fill [0, 1) evenly", "[kernels]") {
  const std::vector<float> y = uniforms(fill_args(4, kSample / 4));
  CHECK(*std::min_element(y.begin(), y.end()) >= 0.0f);
  CHECK(*std::max_element(y.begin(), y.end()) < 1.0f);
  CHECK(kolmogorov_distance(y, [](double v) { return v; }) < 1.95 / kRoot);
}

double correlation(std::span<const float> a, std::span<const float> b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += static_cast<double>(a[i]) * b[i];
  return sum / static_cast<double>(a.size());
}

TEST_CASE("random: neighbors in every coordinate are uncorrelated", "[kernels]") {
  const RandomFillArgs args = fill_args(1, kSample);
  const std::vector<float> y = normals(args);
  const std::span<const float> all(y);
  for (size_t lag : {1, 2, 3, 4, 8, 64}) {
    CAPTURE(lag);
    CHECK(std::fabs(correlation(all.first(y.size() - lag), all.subspan(lag))) < 4 / kRoot);
  }
  RandomFillArgs other = args;
  other.seed += 1;
  CHECK(std::fabs(correlation(normals(other), y)) < 4 / kRoot);
  other = args;
  other.image0 += 1;
  CHECK(std::fabs(correlation(normals(other), y)) < 4 / kRoot);
  other = args;
  other.step += 1;
  CHECK(std::fabs(correlation(normals(other), y)) < 4 / kRoot);
  other = args;
  other.stream = RandomStream::kStart;
  CHECK(std::fabs(correlation(normals(other), y)) < 4 / kRoot);
}

}  // namespace
}  // namespace ebb::test
