#include "kernels/copy_rows.h"

#include <cmath>
#include <vector>

#include "tests/support/catch.h"
#include "tests/support/compare.h"
#include "tests/support/cpu_stream.h"
#include "tests/support/random_data.h"

namespace ebb::test {
namespace {

TEST_CASE("copy_rows: concatenation fills its channels and touches no others", "[kernels]") {
  const int threads = GENERATE(1, 2, 3);
  const int64_t rows = GENERATE(1, 97, 66000), a = GENERATE(1, 7, 13), b = 3, pitch = a + b + 1;
  RandomData random(1);
  const std::vector<float> first = random.normal(rows * a), second = random.normal(rows * b);
  std::vector<float> y(static_cast<size_t>(rows * pitch), -7.0f);
  cpu::copy_rows({rows, rows, a, a, pitch, DType::kF32, first.data(), y.data()},
                 cpu_stream(threads));
  cpu::copy_rows({rows, rows, b, b, pitch, DType::kF32, second.data(), y.data() + a},
                 cpu_stream(threads));
  std::vector<float> expected;
  for (int64_t r = 0; r < rows; ++r) {
    expected.insert(expected.end(), first.begin() + r * a, first.begin() + (r + 1) * a);
    expected.insert(expected.end(), second.begin() + r * b, second.begin() + (r + 1) * b);
    expected.push_back(-7.0f);
  }
  CHECK(compare_bits(y, expected) == "");

  std::vector<float> back(second.size(), NAN);
  cpu::copy_rows({rows, rows, b, pitch, b, DType::kF32, y.data() + a, back.data()},
                 cpu_stream(threads));
  CHECK(compare_bits(back, second) == "");
}

TEST_CASE("copy_rows: a shorter source repeats", "[kernels]") {
  const std::vector<float> x = {1, 2, 3, 4};  // [2, 2]
  std::vector<float> y(12, NAN);
  cpu::copy_rows({6, 2, 2, 2, 2, DType::kF32, x.data(), y.data()}, cpu_stream());
  CHECK(y == std::vector<float>{1, 2, 3, 4, 1, 2, 3, 4, 1, 2, 3, 4});
}

}  // namespace
}  // namespace ebb::test
