#include "kernels/loss/softmax_cross_entropy.h"

#include <cmath>
#include <vector>

#include "testing/backend.h"
#include "testing/catch.h"
#include "testing/compare.h"
#include "testing/cpu_stream.h"
#include "testing/gradcheck.h"
#include "testing/random_data.h"
#include "testing/reference/softmax_cross_entropy.h"

namespace ebb::test {
namespace {

struct Problem {
  int64_t rows, classes;
  std::vector<float> z, p;
};

// Rows of p are probabilities, labels, and numbers that do not add up to 1, in turn.
Problem random_problem(int64_t rows, int64_t classes, uint64_t seed) {
  RandomData random(seed);
  Problem problem{rows, classes, random.normal(rows * classes, 0, 3),
                  random.uniform(rows * classes)};
  for (int64_t row = 0; row < rows; ++row) {
    float* p = problem.p.data() + row * classes;
    float sum = 0;
    for (int64_t k = 0; k < classes; ++k) sum += p[k];
    const int64_t label = random.integer(0, classes - 1);
    for (int64_t k = 0; k < classes; ++k) {
      if (row % 3 == 0) p[k] /= sum;
      if (row % 3 == 1) p[k] = k == label ? 1.0f : 0.0f;
    }
  }
  return problem;
}

float forward(const Problem& problem, int threads = 1) {
  float loss = NAN;
  KernelCall call;
  call.run(&KernelTable::softmax_cross_entropy_forward,
           {problem.rows, problem.classes, DType::kF32, call.in(problem.z), call.in(problem.p),
            call.out(loss),
            call.scratch(current_kernels().softmax_cross_entropy_workspace_bytes.fn(problem.rows))},
           threads);
  return loss;
}

std::vector<float> backward(const Problem& problem, float dloss, int threads = 1) {
  std::vector<float> gradient(problem.z.size(), NAN);
  const std::vector<float> scale = {dloss};
  KernelCall call;
  call.run(&KernelTable::softmax_cross_entropy_backward,
           {problem.rows, problem.classes, DType::kF32, call.in(problem.z), call.in(problem.p),
            call.in(scale), call.out(gradient)},
           threads);
  return gradient;
}

TEST_CASE("softmax_cross_entropy: loss and gradient follow the definition for any size",
          "[kernels]") {
  const TestBackend backend(GENERATE(from_range(test_backends())));
  const int64_t rows = GENERATE(1, 2, 63, 64, 65, 300), classes = GENERATE(1, 2, 10, 33);
  CAPTURE(rows, classes);
  const Problem problem = random_problem(rows, classes, 1);
  const std::vector<double> z = to_double(problem.z), p = to_double(problem.p);
  const double expected = reference::softmax_cross_entropy(z, p, classes);
  const float loss = forward(problem);
  // Computed in double and rounded once; 1e-12 for one class, whose loss is zero but for rounding.
  CHECK(compare(std::span(&loss, 1), std::span(&expected, 1), {1e-12, kEps32}) == "");

  const float dloss = 0.3f;
  const std::vector<double> gradient =
      reference::softmax_cross_entropy_backward(z, p, classes, dloss);
  CHECK(compare(backward(problem, dloss), gradient, {1e-12, 2 * kEps32}) == "");
  for (int threads : kThreadCounts) {
    CHECK(forward(problem, threads) == loss);
    CHECK(compare_bits(backward(problem, dloss, threads), backward(problem, dloss)) == "");
  }
}

TEST_CASE("softmax_cross_entropy: large logits neither overflow nor lose the smaller ones",
          "[kernels]") {
  const TestBackend backend(GENERATE(from_range(test_backends())));
  const Problem problem{2, 3, {1e4f, 1e4f - 2, -1e4f, -3e38f, 3e38f, 0}, {0, 1, 0, 0, 1, 0}};
  // Row 0: log(1 + exp(-2)) + 2, row 1: 0.
  CHECK(forward(problem) == Approx((std::log1p(std::exp(-2.0)) + 2) / 2).epsilon(1e-6));
  for (float g : backward(problem, 1)) CHECK(std::isfinite(g));
}

TEST_CASE("softmax_cross_entropy: a NaN anywhere makes the loss NaN", "[kernels]") {
  const TestBackend backend(GENERATE(from_range(test_backends())));
  const size_t where = GENERATE(0u, 4u, 9u, 1299u);
  Problem problem = random_problem(130, 10, 3);
  REQUIRE(std::isfinite(forward(problem)));
  problem.z[where] = NAN;
  CHECK(std::isnan(forward(problem)));
}

TEST_CASE("softmax_cross_entropy: the reference gradient is the derivative of the reference",
          "[kernels]") {
  const Problem problem = random_problem(6, 5, 2);
  const std::vector<double> z = to_double(problem.z), p = to_double(problem.p);
  const auto loss = [&](std::span<const double> at) {
    return reference::softmax_cross_entropy(at, p, 5);
  };
  CHECK(gradcheck(loss, z, reference::softmax_cross_entropy_backward(z, p, 5, 1)) == "");
}

}  // namespace
}  // namespace ebb::test
