#include "kernels/sampling/blend.h"

#include <cmath>
#include <vector>

#include "testing/backend.h"
#include "testing/catch.h"
#include "testing/compare.h"
#include "testing/cpu_stream.h"
#include "testing/random_data.h"

namespace ebb::test {
namespace {

std::vector<float> run(const std::vector<float>& mask, const std::vector<float>& x,
                       const std::vector<float>& known, int threads = 1) {
  std::vector<float> y(x.size(), NAN);
  KernelCall call;
  call.run(&KernelTable::blend,
           {static_cast<int64_t>(x.size()), call.in(mask), call.in(x), call.in(known), call.out(y)},
           threads);
  return y;
}

TEST_CASE("blend: mixes by the mask", "[kernels]") {
  const TestBackend backend(GENERATE(from_range(test_backends())));
  const int64_t count = GENERATE(1, 13, 784, 40001);
  RandomData random(5);
  const std::vector<float> mask = random.uniform(count), x = random.normal(count),
                           known = random.normal(count);
  std::vector<double> expected, magnitude;
  for (int64_t e = 0; e < count; ++e) {
    const double m = mask[e];
    expected.push_back(m * x[e] + (1 - m) * known[e]);
    magnitude.push_back(m * std::fabs(x[e]) + (1 - m) * std::fabs(known[e]));
  }
  const std::vector<float> y = run(mask, x, known);
  CHECK(compare_sums(y, expected, magnitude, 4) == "");
  for (const int threads : kThreadCounts)
    CHECK(compare_bits(run(mask, x, known, threads), y) == "");
}

TEST_CASE("blend: 1 takes x and 0 takes the known value to the last bit", "[kernels]") {
  const TestBackend backend(GENERATE(from_range(test_backends())));
  RandomData random(6);
  const std::vector<float> x = random.normal(500), known = random.normal(500);
  std::vector<float> mask, expected;
  for (int64_t e = 0; e < 500; ++e) {
    mask.push_back(e % 3 == 0 ? 1.0f : 0.0f);
    expected.push_back(e % 3 == 0 ? x[e] : known[e]);
  }
  CHECK(compare_bits(run(mask, x, known), expected) == "");
}

}  // namespace
}  // namespace ebb::test
