#include "kernels/pointwise/copy_rows.h"

#include <cmath>
#include <vector>

#include "testing/backend.h"
#include "testing/catch.h"
#include "testing/compare.h"
#include "testing/cpu_stream.h"
#include "testing/random_data.h"

namespace ebb::test {
namespace {

TEST_CASE("copy_rows: concatenation fills its channels and touches no others", "[kernels]") {
  const TestBackend backend(GENERATE(from_range(test_backends())));
  const int threads = GENERATE(1, 2, 3);
  const int64_t rows = GENERATE(1, 97, 66000), a = GENERATE(1, 7, 8, 13), b = GENERATE(3, 4);
  if (backend.emulated() && (threads > 1 || (rows > 97 && a + b > 4))) return;
  const int64_t pitch = a + b + (a + b == 12 ? 4 : 1);  // 8, 4 and 16: aligned rows
  RandomData random(1);
  const std::vector<float> first = random.normal(rows * a), second = random.normal(rows * b);
  std::vector<float> y(static_cast<size_t>(rows * pitch), -7.0f);
  const auto copy = [&](int64_t c, int64_t x_pitch, const std::vector<float>& x, int64_t x_first,
                        int64_t y_pitch, std::vector<float>& to, int64_t y_first) {
    KernelCall call;
    call.run(&KernelTable::copy_rows,
             {rows, rows, c, x_pitch, y_pitch, DType::kF32, call.in(x) + x_first,
              call.inout(to) + y_first},
             threads);
  };
  copy(a, a, first, 0, pitch, y, 0);
  copy(b, b, second, 0, pitch, y, a);
  std::vector<float> expected;
  for (int64_t r = 0; r < rows; ++r) {
    expected.insert(expected.end(), first.begin() + r * a, first.begin() + (r + 1) * a);
    expected.insert(expected.end(), second.begin() + r * b, second.begin() + (r + 1) * b);
    expected.insert(expected.end(), static_cast<size_t>(pitch - a - b), -7.0f);
  }
  CHECK(compare_bits(y, expected) == "");

  std::vector<float> back(second.size(), NAN);
  copy(b, pitch, y, a, b, back, 0);
  CHECK(compare_bits(back, second) == "");
}

TEST_CASE("copy_rows: a shorter source repeats", "[kernels]") {
  const TestBackend backend(GENERATE(from_range(test_backends())));
  const std::vector<float> x = {1, 2, 3, 4};  // [2, 2]
  std::vector<float> y(12, NAN);
  KernelCall call;
  call.run(&KernelTable::copy_rows, {6, 2, 2, 2, 2, DType::kF32, call.in(x), call.out(y)});
  CHECK(y == std::vector<float>{1, 2, 3, 4, 1, 2, 3, 4, 1, 2, 3, 4});
}

}  // namespace
}  // namespace ebb::test
