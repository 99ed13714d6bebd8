#include "kernels/sampling/learned_noise.h"

#include <cmath>
#include <vector>

#include "testing/backend.h"
#include "testing/catch.h"
#include "testing/compare.h"
#include "testing/cpu_stream.h"
#include "testing/random_data.h"

namespace ebb::test {
namespace {

TEST_CASE("learned_noise: the code moves the deviation between two logarithms", "[kernels]") {
  const TestBackend backend(GENERATE(from_range(test_backends())));
  const int64_t count = GENERATE(1, 13, 784, 40001);
  RandomData random(7);
  // The assignment's step 30 -> 0: log variances -10.1067 and -5.6570, codes around -1..1.
  const std::vector<float> log_deviation = {-3.94f, 1.11f};
  std::vector<float> x = random.normal(count);
  const std::vector<float> code = random.normal(count), z = random.normal(count);
  std::vector<double> expected, magnitude;
  for (int64_t e = 0; e < count; ++e) {
    const double noise =
        std::exp(static_cast<double>(log_deviation[0]) + double{log_deviation[1]} * code[e]) * z[e];
    expected.push_back(x[e] + noise);
    magnitude.push_back(std::fabs(x[e]) + std::fabs(noise));
  }
  const auto run = [&](int threads) {
    std::vector<float> y(static_cast<size_t>(count), NAN);
    KernelCall call;
    call.run(&KernelTable::learned_noise,
             {count, call.in(log_deviation), call.in(x), call.in(code), call.in(z), call.out(y)},
             threads);
    return y;
  };
  const std::vector<float> y = run(1);
  // The exponent, below 8, is off by up to 4 roundoffs of its size before exp takes it.
  CHECK(compare_sums(y, expected, magnitude, 40) == "");
  for (const int threads : kThreadCounts) CHECK(compare_bits(run(threads), y) == "");
  KernelCall in_place;
  float* both = in_place.inout(x);
  in_place.run(&KernelTable::learned_noise,
               {count, in_place.in(log_deviation), both, in_place.in(code), in_place.in(z), both});
  CHECK(compare_bits(x, y) == "");
}

}  // namespace
}  // namespace ebb::test
