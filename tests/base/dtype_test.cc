#include "base/dtype.h"

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "testing/catch.h"
#include "testing/random_data.h"

namespace ebb::test {
namespace {

// A 16-bit float format by its IEEE definition, in double.
struct Format {
  int mantissa_bits, exponent_bits;
  float (*widen)(uint16_t);
  uint16_t (*narrow)(float);

  int bias() const { return (1 << (exponent_bits - 1)) - 1; }
  uint16_t infinity() const {
    return static_cast<uint16_t>(((1 << exponent_bits) - 1) << mantissa_bits);
  }
  bool is_nan(uint16_t bits) const { return (bits & 0x7fff) > infinity(); }

  double value(uint16_t bits) const {
    const int exponent = (bits & 0x7fff) >> mantissa_bits;
    const int mantissa = bits & ((1 << mantissa_bits) - 1);
    double magnitude = std::ldexp(mantissa, 1 - bias() - mantissa_bits);  // subnormal
    if (exponent != 0) {
      magnitude = std::ldexp(mantissa + (1 << mantissa_bits), exponent - bias() - mantissa_bits);
    }
    if (exponent == (1 << exponent_bits) - 1) {
      magnitude = mantissa == 0 ? std::numeric_limits<double>::infinity() : NAN;
    }
    return (bits & 0x8000) != 0 ? -magnitude : magnitude;
  }

  // Round to nearest even by looking at both neighbors in double. A finite value beyond the
  // largest rounds as if the format went on: its upper neighbor stands for 2^(emax + 1).
  uint16_t rounded(float v) const {
    const uint16_t sign = std::signbit(v) ? 0x8000 : 0;
    const double magnitude = std::fabs(static_cast<double>(v));
    if (std::isinf(magnitude)) return static_cast<uint16_t>(sign | infinity());
    uint16_t low = 0;  // largest finite number <= magnitude, by bisection
    for (int bit = 14; bit >= 0; --bit) {
      const auto next = static_cast<uint16_t>(low | (1 << bit));
      if (next < infinity() && value(next) <= magnitude) low = next;
    }
    const auto high = static_cast<uint16_t>(low + 1);
    const double above = high == infinity() ? std::ldexp(1.0, bias() + 1) : value(high);
    const double to_low = magnitude - value(low), to_high = above - magnitude;
    const bool up = to_high < to_low || (to_high == to_low && (low & 1) != 0);
    return static_cast<uint16_t>(sign | (up ? high : low));
  }
};

const std::vector<Format> kFormats = {{10, 5, f16_to_f32, f32_to_f16},
                                      {7, 8, bf16_to_f32, f32_to_bf16}};

TEST_CASE("dtype: all 65536 half values widen exactly and come back", "[base]") {
  const Format format = GENERATE(from_range(kFormats));
  CAPTURE(format.mantissa_bits);
  int wrong = 0;
  for (int i = 0; i < 65536; ++i) {
    const auto bits = static_cast<uint16_t>(i);
    const float wide = format.widen(bits);
    if (format.is_nan(bits)) {
      wrong += !std::isnan(wide) || !format.is_nan(format.narrow(wide)) ||
               std::signbit(wide) != ((bits & 0x8000) != 0);
    } else {
      wrong += static_cast<double>(wide) != format.value(bits) || format.narrow(wide) != bits;
    }
  }
  CHECK(wrong == 0);
}

TEST_CASE("dtype: narrowing rounds to nearest even around every half value", "[base]") {
  const Format format = GENERATE(from_range(kFormats));
  CAPTURE(format.mantissa_bits);
  int wrong = 0;
  const auto check = [&](float v) { wrong += format.narrow(v) != format.rounded(v); };
  for (int i = 0; i < format.infinity(); ++i) {
    const float low = format.widen(static_cast<uint16_t>(i));
    const auto high_bits = static_cast<uint16_t>(i + 1);
    const double high = high_bits == format.infinity() ? std::ldexp(1.0, format.bias() + 1)
                                                       : format.value(high_bits);
    const auto middle = static_cast<float>((static_cast<double>(low) + high) / 2);
    for (float v : {low, middle, std::nextafter(middle, 0.0f),
                    std::nextafter(middle, std::numeric_limits<float>::infinity()),
                    std::nextafter(low, std::numeric_limits<float>::infinity())}) {
      check(v);
      check(-v);
    }
  }
  CHECK(wrong == 0);
}

TEST_CASE("dtype: narrowing rounds random floats of every magnitude", "[base]") {
  const Format format = GENERATE(from_range(kFormats));
  CAPTURE(format.mantissa_bits);
  RandomData random(1);
  int wrong = 0;
  for (int i = 0; i < 200000; ++i) {
    const float v = std::bit_cast<float>(static_cast<uint32_t>(random.integer(0, 0xffffffffu)));
    if (std::isnan(v)) {
      wrong += !format.is_nan(format.narrow(v));
    } else {
      wrong += format.narrow(v) != format.rounded(v);
    }
  }
  CHECK(wrong == 0);
}

TEST_CASE("dtype: values of both half formats known from their definitions", "[base]") {
  CHECK(f16_to_f32(0x7bff) == 65504.0f);
  CHECK(f32_to_f16(65519.99f) == 0x7bff);
  CHECK(f32_to_f16(65520.0f) == 0x7c00);
  CHECK(f32_to_f16(0x1p-24f) == 0x0001);
  CHECK(f32_to_f16(0x1p-25f) == 0x0000);
  CHECK(f32_to_f16(std::nextafter(0x1p-25f, 1.0f)) == 0x0001);
  CHECK(f32_to_f16(-0.0f) == 0x8000);
  CHECK(f32_to_bf16(1.0f) == 0x3f80);
  CHECK(f32_to_bf16(std::numeric_limits<float>::max()) == 0x7f80);
  CHECK(bf16_to_f32(0x0001) == 0x1p-133f);
}

TEST_CASE("dtype: a NaN whose payload is cut off stays a NaN", "[base]") {
  const Format format = GENERATE(from_range(kFormats));
  for (uint32_t bits : {0x7f800001u, 0xff800001u, 0x7fffffffu, 0xffffffffu}) {
    CHECK(format.is_nan(format.narrow(std::bit_cast<float>(bits))));
  }
}

TEST_CASE("dtype: sizes and names", "[base]") {
  CHECK(size_of(DType::kF32) == 4);
  CHECK(size_of(DType::kBF16) == 2);
  CHECK(size_of(DType::kF16) == 2);
  CHECK(size_of(DType::kU8) == 1);
  CHECK(size_of(DType::kI32) == 4);
  CHECK(size_of(DType::kI64) == 8);
  CHECK(std::string(to_string(DType::kBF16)) == "bf16");
}

}  // namespace
}  // namespace ebb::test
