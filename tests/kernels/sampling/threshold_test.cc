#include "kernels/sampling/threshold.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "testing/backend.h"
#include "testing/catch.h"
#include "testing/compare.h"
#include "testing/cpu_stream.h"
#include "testing/random_data.h"

namespace ebb::test {
namespace {

std::vector<float> run(const ThresholdArgs& args, const std::vector<float>& x, int threads = 1) {
  std::vector<float> y(x.size(), NAN);
  KernelCall call;
  ThresholdArgs placed = args;
  placed.x = call.in(x);
  placed.y = call.out(y);
  call.run(&KernelTable::threshold, placed, threads);
  return y;
}

// The definition, in double but for the rank.
std::vector<double> reference(const ThresholdArgs& args, const std::vector<float>& x) {
  std::vector<double> y;
  for (int64_t image = 0; image < args.n; ++image) {
    const auto begin = x.begin() + image * args.elements;
    std::vector<double> sizes;
    for (auto v = begin; v != begin + args.elements; ++v) sizes.push_back(std::fabs(double{*v}));
    std::sort(sizes.begin(), sizes.end());
    const float rank = args.ratio * static_cast<float>(args.elements - 1);
    const auto below = static_cast<size_t>(rank);
    const size_t above = std::min(below + 1, sizes.size() - 1);
    const double weight = double{rank} - static_cast<double>(below);
    const double q = sizes[below] + weight * (sizes[above] - sizes[below]);
    const double limit = double{args.limit};
    const double s = args.dynamic ? std::clamp(q, 1.0, limit) : limit;
    for (auto v = begin; v != begin + args.elements; ++v) {
      y.push_back(std::clamp(double{*v}, -s, s) / (args.dynamic ? s : 1));
    }
  }
  return y;
}

TEST_CASE("threshold: values beyond the range are cut, or scale their image", "[kernels]") {
  const TestBackend backend(GENERATE(from_range(test_backends())));
  const int64_t elements = GENERATE(1, 2, 511, 513, 3000), n = GENERATE(1, 3);
  const bool dynamic = GENERATE(false, true);
  const float ratio = GENERATE(0.0f, 0.5f, 0.95f, 1.0f);
  RandomData random(static_cast<uint64_t>(elements + n));
  std::vector<float> x = random.normal(n * elements);
  // Images of different sizes: one within the range, one with a quantile within the limit, one
  // beyond.
  const float sizes[] = {0.2f, 1.5f, 8};
  for (size_t e = 0; e < x.size(); ++e) x[e] *= sizes[e / static_cast<size_t>(elements)];
  const ThresholdArgs args{n, elements, dynamic, 2.5f, ratio, nullptr, nullptr};
  const std::vector<float> y = run(args, x);
  CHECK(compare(y, reference(args, x), {.relative = 8 * kEps32}) == "");
  for (const int threads : kThreadCounts) CHECK(compare_bits(run(args, x, threads), y) == "");
  KernelCall in_place;
  float* both = in_place.inout(x);
  in_place.run(&KernelTable::threshold, {n, elements, dynamic, 2.5f, ratio, both, both});
  CHECK(compare_bits(x, y) == "");
}

TEST_CASE("threshold: equal values share their ranks", "[kernels]") {
  const TestBackend backend(GENERATE(from_range(test_backends())));
  // Sizes 0, 1.25 three times, 2, 4, at ranks 0..5.
  const std::vector<float> x = {1.25f, -4, 0, -1.25f, 2, 1.25f};
  const auto quantile = [&](float ratio) {
    return 1.25f / run({1, 6, true, 100, ratio, nullptr, nullptr}, x)[0];
  };
  CHECK(quantile(0.5f) == Approx(1.25));   // ranks 2 and 3
  CHECK(quantile(0.7f) == Approx(1.625));  // 3 and 4
  CHECK(quantile(0.9f) == Approx(3));      // 4 and 5
}

TEST_CASE("threshold: a NaN stays, and an infinity is cut", "[kernels]") {
  const TestBackend backend(GENERATE(from_range(test_backends())));
  const bool dynamic = GENERATE(false, true);
  const std::vector<float> x = {0.5f, NAN, INFINITY, -INFINITY, -0.5f};
  const std::vector<float> y = run({1, 5, dynamic, 2, 0.25f, nullptr, nullptr}, x);
  CHECK(std::isnan(y[1]));
  CHECK(y[2] == (dynamic ? 1 : 2));
  CHECK(y[3] == (dynamic ? -1 : -2));
  CHECK(y[0] == -y[4]);
}

}  // namespace
}  // namespace ebb::test
