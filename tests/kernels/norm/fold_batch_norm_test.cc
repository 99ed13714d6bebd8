#include "kernels/norm/fold_batch_norm.h"

#include <cmath>
#include <vector>

#include "testing/backend.h"
#include "testing/catch.h"
#include "testing/compare.h"
#include "testing/random_data.h"

namespace ebb::test {
namespace {

TEST_CASE("fold_batch_norm: scales every output channel and moves its bias", "[kernels]") {
  const TestBackend backend(GENERATE(from_range(test_backends())));
  const int64_t o = GENERATE(1, 5), k = GENERATE(1, 9, 300);
  const float eps = 1e-3f;
  RandomData random(7);
  const std::vector<float> w = random.normal(o * k), b = random.normal(o), beta = random.normal(o),
                           mean = random.normal(o), gamma = random.uniform(o, 0.5, 1.5),
                           var = random.uniform(o, 0.1, 2);
  std::vector<float> folded_w(w.size(), NAN), folded_b(b.size(), NAN);
  KernelCall call;
  call.run(&KernelTable::fold_batch_norm,
           {o, k, eps, call.in(w), call.in(b), call.in(gamma), call.in(beta), call.in(mean),
            call.in(var), call.out(folded_w), call.out(folded_b)});
  std::vector<double> expected_w, expected_b;
  for (int64_t i = 0; i < o; ++i) {
    const double scale = gamma[i] / std::sqrt(static_cast<double>(var[i]) + eps);
    for (int64_t j = 0; j < k; ++j) expected_w.push_back(scale * w[i * k + j]);
    expected_b.push_back(scale * (static_cast<double>(b[i]) - mean[i]) + beta[i]);
  }
  // Computed in double, stored once.
  CHECK(compare(folded_w, expected_w, {0, kEps32}) == "");
  CHECK(compare(folded_b, expected_b, {1e-12, kEps32}) == "");
}

}  // namespace
}  // namespace ebb::test
