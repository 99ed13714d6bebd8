#include "kernels/pointwise/linear_combination.h"

#include <cmath>
#include <vector>

#include "base/error.h"
#include "testing/backend.h"
#include "testing/catch.h"
#include "testing/compare.h"
#include "testing/cpu_stream.h"
#include "testing/random_data.h"

namespace ebb::test {
namespace {

struct Problem {
  int64_t n, elements;
  bool per_image;
  int terms;
  std::vector<std::vector<float>> x, coefficients;

  Problem(int64_t n_in, int64_t elements_in, bool per_image_in, int terms_in)
      : n(n_in), elements(elements_in), per_image(per_image_in), terms(terms_in) {
    RandomData random(1);
    for (int k = 0; k < terms; ++k) {
      x.push_back(random.normal(n * elements));
      coefficients.push_back(random.normal(per_image ? n : 1));
    }
  }

  LinearCombinationArgs args(KernelCall& call, float* y) const {
    LinearCombinationArgs result = {n, elements, per_image, terms, {}, y};
    for (int k = 0; k < terms; ++k) result.term[k] = {call.in(x[k]), call.in(coefficients[k])};
    return result;
  }

  std::vector<float> run(int threads = 1) const {
    std::vector<float> y(static_cast<size_t>(n * elements), NAN);
    KernelCall call;
    call.run(&KernelTable::linear_combination, args(call, call.out(y)), threads);
    return y;
  }
};

TEST_CASE("linear_combination: sums its terms per image", "[kernels]") {
  const TestBackend backend(GENERATE(from_range(test_backends())));
  const int terms = GENERATE(1, 2, 3, 4);
  const bool per_image = GENERATE(false, true);
  const int64_t n = GENERATE(1, 5), elements = GENERATE(1, 13, 784, 40001);
  if (backend.emulated() && n > 1 && elements > 784) return;
  CAPTURE(terms, per_image, n, elements);
  const Problem problem(n, elements, per_image, terms);
  std::vector<double> expected(static_cast<size_t>(n * elements)), magnitude(expected.size());
  for (int k = 0; k < terms; ++k) {
    for (int64_t i = 0; i < n * elements; ++i) {
      const double term = static_cast<double>(problem.x[k][i]) *
                          problem.coefficients[k][per_image ? i / elements : 0];
      expected[i] += term;
      magnitude[i] += std::fabs(term);
    }
  }
  const std::vector<float> y = problem.run();
  CHECK(compare_sums(y, expected, magnitude, terms) == "");
  for (int threads : kThreadCounts) CHECK(compare_bits(problem.run(threads), y) == "");
}

TEST_CASE("linear_combination: the output may be any term", "[kernels]") {
  const TestBackend backend(GENERATE(from_range(test_backends())));
  const int alias = GENERATE(0, 1, 2);
  Problem problem(3, 100, true, 3);
  const std::vector<float> expected = problem.run();
  KernelCall call;
  float* y = call.inout(problem.x[alias]);
  call.run(&KernelTable::linear_combination, problem.args(call, y));
  CHECK(compare_bits(problem.x[alias], expected) == "");
}

TEST_CASE("linear_combination: more terms than it supports are rejected", "[kernels]") {
  const TestBackend backend(GENERATE(from_range(test_backends())));
  LinearCombinationArgs args = {};
  args.terms = LinearCombinationArgs::kMaxTerms + 1;
  CHECK_THROWS_AS(current_kernels().linear_combination.fn(args, {}), ShapeError);
  args.terms = 0;
  CHECK_THROWS_AS(current_kernels().linear_combination.fn(args, {}), ShapeError);
}

}  // namespace
}  // namespace ebb::test
