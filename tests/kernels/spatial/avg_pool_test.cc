#include "kernels/spatial/avg_pool.h"

#include <cmath>
#include <vector>

#include "testing/backend.h"
#include "testing/catch.h"
#include "testing/compare.h"
#include "testing/cpu_stream.h"
#include "testing/gradcheck.h"
#include "testing/random_data.h"
#include "testing/reference/avg_pool.h"

namespace ebb::test {
namespace {

using reference::AvgPoolSize;

const std::vector<AvgPoolSize> kSizes = {
    {1, 1, 1, 1, 1, 1},    {2, 4, 6, 3, 2, 2},   {3, 7, 7, 64, 7, 7},
    {1, 14, 7, 10, 7, 7},  {2, 6, 9, 13, 3, 3},  {2, 8, 8, 130, 4, 4},
    {2, 77, 1, 33, 77, 1}, {3, 10, 12, 5, 5, 2}, {2, 6, 20, 8, 1, 20}};

std::vector<float> forward(const AvgPoolSize& s, const std::vector<float>& x, int threads = 1) {
  std::vector<float> y(static_cast<size_t>(s.y_count()), NAN);
  KernelCall call;
  call.run(&KernelTable::avg_pool_forward,
           {s.n, s.h, s.w, s.c, s.kh, s.kw, DType::kF32, call.in(x), call.out(y)}, threads);
  return y;
}

std::vector<float> backward(const AvgPoolSize& s, const std::vector<float>& dy, int threads = 1) {
  std::vector<float> dx(static_cast<size_t>(s.x_count()), NAN);
  KernelCall call;
  call.run(&KernelTable::avg_pool_backward,
           {s.n, s.h, s.w, s.c, s.kh, s.kw, DType::kF32, call.in(dy), call.out(dx)}, threads);
  return dx;
}

TEST_CASE("avg_pool: forward and backward follow the definition", "[kernels]") {
  const TestBackend backend(GENERATE(from_range(test_backends())));
  const AvgPoolSize size = GENERATE(from_range(kSizes));
  CAPTURE(size.n, size.h, size.w, size.c, size.kh, size.kw);
  RandomData random(1);
  const std::vector<float> x = random.normal(size.x_count()), dy = random.normal(size.y_count());
  std::vector<float> magnitudes = x;
  for (float& v : magnitudes) v = std::fabs(v);
  // kh * kw additions in a row, each rounding at most the sum of magnitudes.
  CHECK(compare_sums(forward(size, x), reference::avg_pool_forward(size, to_double(x)),
                     reference::avg_pool_forward(size, to_double(magnitudes))) == "");
  CHECK(compare(backward(size, dy), reference::avg_pool_backward(size, to_double(dy)),
                {0, kEps32}) == "");
}

TEST_CASE("avg_pool: threads do not change a bit", "[kernels]") {
  const AvgPoolSize size = {5, 14, 14, 13, 7, 7};
  RandomData random(2);
  const std::vector<float> x = random.normal(size.x_count()), dy = random.normal(size.y_count());
  for (int threads : kThreadCounts) {
    CHECK(compare_bits(forward(size, x, threads), forward(size, x)) == "");
    CHECK(compare_bits(backward(size, dy, threads), backward(size, dy)) == "");
  }
}

TEST_CASE("avg_pool: the reference gradient is the derivative of the reference", "[kernels]") {
  const AvgPoolSize size = {2, 4, 6, 3, 2, 3};
  RandomData random(3);
  const std::vector<double> x = to_double(random.normal(size.x_count()));
  const std::vector<double> dy = to_double(random.normal(size.y_count()));
  const auto loss = [&](std::span<const double> at) {
    return inner_product(reference::avg_pool_forward(size, at), dy);
  };
  CHECK(gradcheck(loss, x, reference::avg_pool_backward(size, dy)) == "");
}

}  // namespace
}  // namespace ebb::test
