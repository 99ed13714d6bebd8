#include "base/error.h"

#include <cmath>
#include <cstdint>
#include <limits>
#include <sstream>

#include "base/shape.h"
#include "testing/catch.h"

using namespace ebb;

namespace {

template <typename T>
std::string streamed(const T& value) {
  std::ostringstream out;
  out << value;
  return out.str();
}

}  // namespace

TEST_CASE("a message shows numbers as a stream does") {
  using Doubles = std::numeric_limits<double>;
  for (const double value : {0.0,
                             -0.0,
                             1.0,
                             0.1,
                             -2.5,
                             1e-5,
                             0.0001,
                             123456.0,
                             1234567.0,
                             999999.5,
                             1e300,
                             5e-324,
                             1.0 / 3,
                             100000.0,
                             1e15,
                             Doubles::max(),
                             Doubles::infinity(),
                             -Doubles::infinity(),
                             Doubles::quiet_NaN(),
                             -Doubles::quiet_NaN()}) {
    CHECK(cat(value) == streamed(value));
    CHECK(cat(static_cast<float>(value)) == streamed(static_cast<float>(value)));
  }
  CHECK(cat(std::numeric_limits<int64_t>::min()) == "-9223372036854775808");
  CHECK(cat(std::numeric_limits<uint64_t>::max()) == "18446744073709551615");
  CHECK(cat(true, int16_t{-3}, 4u, uint8_t{'a'}, int8_t{'b'}) == "1-34ab");
}

TEST_CASE("a message joins text of every kind and types that have to_string") {
  const std::string text = "b";
  CHECK(cat("a", text, std::string_view("c"), 'd', Shape{2, 3}) == "abcd[2, 3]");
  CHECK(cat().empty());
}
