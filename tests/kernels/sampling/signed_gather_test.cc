#include "kernels/sampling/signed_gather.h"

#include <cmath>
#include <vector>

#include "testing/backend.h"
#include "testing/catch.h"
#include "testing/compare.h"
#include "testing/random_data.h"

namespace ebb::test {
namespace {

TEST_CASE("signed_gather: takes the element that the index names, negated for a complement",
          "[kernels]") {
  const TestBackend backend(GENERATE(from_range(test_backends())));
  const int64_t n = GENERATE(1, 3), x_elements = GENERATE(1, 7, 40000);
  const int64_t elements = GENERATE(1, 5, 20011);
  CAPTURE(n, x_elements, elements);
  RandomData random(4);
  const std::vector<float> x = random.normal(n * x_elements);
  std::vector<int32_t> index;
  std::vector<bool> negated;
  for (int64_t e = 0; e < elements; ++e) {
    const auto k = static_cast<int32_t>(random.integer(0, x_elements - 1));
    negated.push_back(random.integer(0, 1) == 1);
    index.push_back(negated.back() ? -1 - k : k);
  }
  std::vector<float> expected;
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t e = 0; e < elements; ++e) {
      const int64_t k = negated[e] ? -int64_t{index[e]} - 1 : index[e];
      expected.push_back((negated[e] ? -1.0f : 1.0f) * x[i * x_elements + k]);
    }
  }
  for (const int threads : {1, 2, 3}) {
    std::vector<float> y(expected.size(), NAN);
    KernelCall call;
    call.run(&KernelTable::signed_gather,
             {n, x_elements, elements, call.in(index), call.in(x), call.out(y)}, threads);
    CHECK(compare_bits(y, expected) == "");
  }
}

}  // namespace
}  // namespace ebb::test
