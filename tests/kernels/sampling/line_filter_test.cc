#include "kernels/sampling/line_filter.h"

#include <cmath>
#include <vector>

#include "base/error.h"
#include "testing/backend.h"
#include "testing/catch.h"
#include "testing/compare.h"
#include "testing/cpu_stream.h"
#include "testing/random_data.h"
#include "testing/reference/line_filter.h"

namespace ebb::test {
namespace {

struct Size {
  int64_t n, h, w, c, taps;
};

std::vector<float> run(LineFilterArgs args, const std::vector<float>& weights,
                       const std::vector<float>& x, int threads) {
  std::vector<float> y(static_cast<size_t>(args.n * args.h * args.w * args.c), NAN);
  KernelCall call;
  args.weights = call.in(weights);
  args.x = call.in(x);
  args.y = call.out(y);
  call.run(&KernelTable::line_filter, args, threads);
  return y;
}

TEST_CASE("line_filter: sums along every direction, mirrored at the border", "[kernels]") {
  const TestBackend backend(GENERATE(from_range(test_backends())));
  const auto [n, h, w, c, taps] =
      GENERATE(Size{1, 1, 1, 1, 1}, Size{2, 5, 9, 3, 5}, Size{1, 9, 5, 1, 9},
               Size{3, 28, 28, 1, 33}, Size{1, 64, 64, 3, 7}, Size{2, 2, 3, 6, 3});
  RandomData random(3);
  const std::vector<float> x = random.normal(n * h * w * c), weights = random.normal(taps);
  for (const auto& [dy, dx] : {std::pair{0, 1}, {1, 0}, {1, 1}, {0, 0}}) {
    if ((dy == 1 && taps / 2 >= h) || (dx == 1 && taps / 2 >= w)) continue;
    CAPTURE(h, w, c, taps, dy, dx);
    const LineFilterArgs args = {n, h, w, c, dy, dx, taps, nullptr, nullptr, nullptr};
    std::vector<float> sizes_of_x, sizes_of_weights;
    for (const float value : x) sizes_of_x.push_back(std::fabs(value));
    for (const float value : weights) sizes_of_weights.push_back(std::fabs(value));
    const auto reference = [&](const std::vector<float>& values,
                               const std::vector<float>& factors) {
      return reference::line_filter(std::span<const float>(values), n, h, w, c, dy, dx, factors);
    };
    const std::vector<float> y = run(args, weights, x, 1);
    // One rounding of the product and one of the sum per tap.
    CHECK(compare_sums(y, reference(x, weights), reference(sizes_of_x, sizes_of_weights),
                       static_cast<double>(taps) + 1) == "");
    for (const int threads : kThreadCounts)
      CHECK(compare_bits(run(args, weights, x, threads), y) == "");
  }
}

TEST_CASE("line_filter: a filter that reaches past the mirrored image is refused", "[kernels]") {
  const TestBackend backend(GENERATE(from_range(test_backends())));
  const std::vector<float> x(12), weights(9);
  std::vector<float> y(12);
  LineFilterArgs args = {1, 3, 4, 1, 1, 0, 7, weights.data(), x.data(), y.data()};
  CHECK_THROWS_AS(current_kernels().line_filter.fn(args, {}), ShapeError);
  args.taps = 4;
  CHECK_THROWS_AS(current_kernels().line_filter.fn(args, {}), ShapeError);
  args.taps = 5;
  if (backend.emulated()) return;  // host memory
  CHECK_NOTHROW(current_kernels().line_filter.fn(args, {}));
}

}  // namespace
}  // namespace ebb::test
