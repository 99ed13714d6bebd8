#include "weights/non_finite.h"

#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "testing/catch.h"
#include "weights/st_dtype.h"

namespace ebb {
namespace {

template <typename Bits>
NonFinite count(StDType dtype, const std::vector<Bits>& values) {
  // One byte off: tensors of a file need not be aligned.
  std::vector<char> bytes(1 + values.size() * sizeof(Bits));
  std::memcpy(bytes.data() + 1, values.data(), bytes.size() - 1);
  return count_non_finite(dtype, bytes.data() + 1, bytes.size() - 1);
}

TEST_CASE("NaN and infinity are counted apart in every floating-point type") {
  const float inf = std::numeric_limits<float>::infinity();
  const float max = std::numeric_limits<float>::max();
  const NonFinite f32 = count<float>(StDType::kF32, {1, max, inf, -inf, std::nanf(""), 0});
  CHECK(f32.nan == 1);
  CHECK(f32.infinite == 2);
  const NonFinite f64 = count<double>(StDType::kF64, {1, -1e308, HUGE_VAL, std::nan("")});
  CHECK(f64.nan == 1);
  CHECK(f64.infinite == 1);
  const NonFinite f16 = count<uint16_t>(StDType::kF16, {0x7bff, 0x7c00, 0xfc00, 0x7c01, 0xffff});
  CHECK(f16.nan == 2);
  CHECK(f16.infinite == 2);
  const NonFinite bf16 = count<uint16_t>(StDType::kBF16, {0x7f7f, 0x7f80, 0xff80, 0x7f81, 0x7bff});
  CHECK(bf16.nan == 1);
  CHECK(bf16.infinite == 2);
  const NonFinite c64 = count<float>(StDType::kC64, {1, inf});
  CHECK(c64.infinite == 1);
}

TEST_CASE("integers are always finite") {
  CHECK_FALSE(count<uint32_t>(StDType::kI32, {0x7f800000, 0xffffffff}).any());
  CHECK_FALSE(count<uint8_t>(StDType::kU8, {0xff}).any());
}

TEST_CASE("all 22 types of the format have a name, a size and, where ebb loads them, a DType") {
  int known = 0;
  for (const char* name :
       {"BOOL",    "F4",          "F6_E2M3",     "F6_E3M2", "U8",  "I8",  "F8_E5M2", "F8_E4M3",
        "F8_E8M0", "F8_E4M3FNUZ", "F8_E5M2FNUZ", "I16",     "U16", "F16", "BF16",    "I32",
        "U32",     "F32",         "C64",         "F64",     "I64", "U64"}) {
    const auto dtype = parse_st_dtype(name);
    REQUIRE(dtype.has_value());
    CHECK(to_string(*dtype) == std::string(name));
    if (const auto engine = to_engine_dtype(*dtype)) {
      ++known;
      CHECK(to_st_dtype(*engine) == *dtype);
      CHECK(size_of(*engine) * 8 == bits_of(*dtype));
    }
  }
  CHECK(known == 6);
  CHECK_FALSE(parse_st_dtype("F31").has_value());
  CHECK_FALSE(parse_st_dtype("f32").has_value());
}

}  // namespace
}  // namespace ebb
