#include "engine/base/dtype.h"

#include <bit>
#include <cmath>
#include <functional>
#include <limits>

#include "tests/support/catch.h"
#include "tests/support/random_data.h"

namespace ebb {
namespace {

struct HalfFormat {
  const char* name;
  int exponent_bits, mantissa_bits;
  float (*widen)(uint16_t);
  uint16_t (*narrow)(float);
};

const HalfFormat kFormats[] = {{"f16", 5, 10, f16_to_f32, f32_to_f16},
                               {"bf16", 8, 7, bf16_to_f32, f32_to_bf16}};

// The value of a bit pattern from IEEE 754's definition.
double value_of(const HalfFormat& format, uint16_t bits) {
  const int exponent = (bits >> format.mantissa_bits) & ((1 << format.exponent_bits) - 1);
  const int mantissa = bits & ((1 << format.mantissa_bits) - 1);
  const int bias = (1 << (format.exponent_bits - 1)) - 1;
  const double sign = (bits & 0x8000) != 0 ? -1 : 1;
  if (exponent == (1 << format.exponent_bits) - 1) return mantissa != 0 ? NAN : sign * INFINITY;
  const double fraction = std::ldexp(mantissa, -format.mantissa_bits);
  return exponent == 0 ? sign * std::ldexp(fraction, 1 - bias)
                       : sign * std::ldexp(1 + fraction, exponent - bias);
}

TEST_CASE("every 16-bit pattern widens to its exact value and narrows back", "[engine]") {
  for (const HalfFormat& format : kFormats) {
    INFO(format.name);
    int wrong_value = 0, wrong_bits = 0;
    for (int pattern = 0; pattern <= 0xffff; ++pattern) {
      const uint16_t bits = static_cast<uint16_t>(pattern);
      const double expected = value_of(format, bits);
      const float wide = format.widen(bits);
      const uint16_t back = format.narrow(wide);
      if (std::isnan(expected)) {
        wrong_value += !std::isnan(wide);
        wrong_bits += !std::isnan(value_of(format, back)) || std::signbit(wide) != (bits >> 15);
      } else {
        wrong_value += wide != expected || std::signbit(wide) != std::signbit(expected);
        wrong_bits += back != bits;
      }
    }
    CHECK(wrong_value == 0);
    CHECK(wrong_bits == 0);
  }
}

// What rounding to nearest, ties to even, gives: of the two neighbours of |value| in the format
// the nearer, or the one with an even pattern.
uint16_t nearest(const HalfFormat& format, float value) {
  const uint16_t sign = std::signbit(value) ? 0x8000 : 0;
  const double magnitude = std::fabs(static_cast<double>(value));
  const int infinity = ((1 << format.exponent_bits) - 1) << format.mantissa_bits;
  int below = 0, above = infinity;  // patterns of positive numbers are ordered like their values
  while (above - below > 1) {
    const int middle = (below + above) / 2;
    (value_of(format, static_cast<uint16_t>(middle)) <= magnitude ? below : above) = middle;
  }
  // Infinity stands for the number that would follow the largest.
  const double low = value_of(format, static_cast<uint16_t>(below));
  const double high = above < infinity
                          ? value_of(format, static_cast<uint16_t>(above))
                          : 2 * low - value_of(format, static_cast<uint16_t>(below - 1));
  const double to_low = magnitude - low, to_high = high - magnitude;
  const int rounded =
      to_low == to_high ? (below % 2 == 0 ? below : above) : (to_low < to_high ? below : above);
  return static_cast<uint16_t>(sign | rounded);
}

TEST_CASE("narrowing rounds to nearest even, also at ties and at the edges", "[engine]") {
  test::RandomData random(1);
  for (const HalfFormat& format : kFormats) {
    INFO(format.name);
    int wrong = 0;
    const auto check = [&](uint32_t bits) {
      const float value = std::bit_cast<float>(bits);
      if (std::isfinite(value)) wrong += format.narrow(value) != nearest(format, value);
    };
    for (int i = 0; i < 50000; ++i) check(static_cast<uint32_t>(random.integer(0, 0xffffffff)));
    for (int pattern = 0; pattern <= 0xffff; ++pattern) {
      const uint32_t wide = std::bit_cast<uint32_t>(format.widen(static_cast<uint16_t>(pattern)));
      for (uint32_t step : {1u, 0xfffu, 0x1000u, 0x1001u, 0x7fffu, 0x8000u, 0x8001u}) {
        check(wide + step);
      }
    }
    CHECK(wrong == 0);
  }
}

TEST_CASE("narrowing keeps infinities and makes NaN a NaN", "[engine]") {
  for (const HalfFormat& format : kFormats) {
    INFO(format.name);
    CHECK(format.widen(format.narrow(INFINITY)) == INFINITY);
    CHECK(format.widen(format.narrow(-INFINITY)) == -INFINITY);
    CHECK(format.widen(format.narrow(std::numeric_limits<float>::max())) == INFINITY);
    // A NaN whose payload lies in the bits that are cut off stays a NaN.
    CHECK(std::isnan(format.widen(format.narrow(std::bit_cast<float>(0x7f800001u)))));
  }
}

TEST_CASE("element types have their sizes and names", "[engine]") {
  CHECK(size_of(DType::kF32) == 4);
  CHECK(size_of(DType::kBF16) == 2);
  CHECK(size_of(DType::kF16) == 2);
  CHECK(size_of(DType::kU8) == 1);
  CHECK(size_of(DType::kI32) == 4);
  CHECK(size_of(DType::kI64) == 8);
  CHECK(std::string(to_string(DType::kBF16)) == "bf16");
  CHECK(std::string(to_string(DType::kI64)) == "i64");
}

}  // namespace
}  // namespace ebb
