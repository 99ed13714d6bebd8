#include "kernels/pointwise/affine.h"

#include <cmath>
#include <vector>

#include "testing/backend.h"
#include "testing/catch.h"
#include "testing/compare.h"
#include "testing/cpu_stream.h"
#include "testing/random_data.h"

namespace ebb::test {
namespace {

std::vector<float> affine(float scale, float shift, const std::vector<float>& x, int threads = 1) {
  std::vector<float> y(x.size(), NAN);
  KernelCall call;
  call.run(&KernelTable::affine,
           {DType::kF32, static_cast<int64_t>(x.size()), scale, shift, call.in(x), call.out(y)},
           threads);
  return y;
}

TEST_CASE("affine: scales and shifts with one rounding", "[kernels]") {
  const TestBackend backend(GENERATE(from_range(test_backends())));
  const int64_t count = GENERATE(1, 7, 1037, 70001);
  CAPTURE(backend.name(), count);
  const std::vector<float> x = RandomData(1).normal(count);
  std::vector<double> expected;
  for (const float v : x) expected.push_back(2.0 * v - 1.0);
  CHECK(compare(affine(2, -1, x), expected, {0, kEps32}) == "");
  std::vector<double> divided;
  for (const float v : x) divided.push_back(double{0.7071f} * v);
  CHECK(compare(affine(0.7071f, 0, x), divided, {0, kEps32}) == "");
}

TEST_CASE("affine: threads do not change a bit, and the output may be the input", "[kernels]") {
  const TestBackend backend(GENERATE(from_range(test_backends())));
  const std::vector<float> x = RandomData(2).normal(70001);
  const std::vector<float> y = affine(1.5f, 0.25f, x);
  for (const int threads : kThreadCounts) {
    CHECK(compare_bits(affine(1.5f, 0.25f, x, threads), y) == "");
  }
  std::vector<float> in_place = x;
  KernelCall call;
  call.run(&KernelTable::affine,
           {DType::kF32, 70001, 1.5f, 0.25f, call.inout(in_place), call.inout(in_place)});
  CHECK(compare_bits(in_place, y) == "");
}

}  // namespace
}  // namespace ebb::test
