#include <bit>
#include <cmath>
#include <random>
#include <vector>

#include "base/dtype.h"
#include "testing/catch.h"
#include "testing/emulated.h"
#include "tests/emulator/primitives.h"

namespace ebb {
namespace {

using simt::emulator::Format;
using test::DeviceArray;
using test::for_each_order;

// Small integers: exact in every format, and their sums in f32.
std::vector<int> small_integers(size_t count, uint32_t seed) {
  std::mt19937 generator(seed);
  std::vector<int> values(count);
  for (int& v : values) v = static_cast<int>(generator() % 17) - 8;
  return values;
}

template <class T>
std::vector<T> encode(const std::vector<int>& values, Format format) {
  std::vector<T> bits;
  for (const int v : values) {
    const float f = static_cast<float>(v);
    bits.push_back(static_cast<T>(format == Format::kBf16  ? f32_to_bf16(f)
                                  : format == Format::kF16 ? f32_to_f16(f)
                                                           : std::bit_cast<uint32_t>(f)));
  }
  return bits;
}

// start[16, 8] + a[16, depth] * b[depth, 8]
std::vector<float> product(const std::vector<int>& a, const std::vector<int>& b,
                           const std::vector<float>& start) {
  const int depth = static_cast<int>(a.size()) / 16;
  std::vector<float> d = start;
  for (int i = 0; i < 16; ++i) {
    for (int j = 0; j < 8; ++j) {
      for (int k = 0; k < depth; ++k)
        d[i * 8 + j] += static_cast<float>(a[i * depth + k] * b[k * 8 + j]);
    }
  }
  return d;
}

template <class T>
void check_multiply(Format format, int depth) {
  const auto a = small_integers(16 * depth, 1), b = small_integers(8 * depth, 2);
  std::vector<float> start(128);
  for (size_t i = 0; i < start.size(); ++i) start[i] = static_cast<float>(i) - 50.0f;
  for_each_order([&] {
    const DeviceArray<T> da(encode<T>(a, format), "a"), db(encode<T>(b, format), "b");
    DeviceArray<float> d(start, "d");
    emu::multiply(format, da.get(), db.get(), d.get(), {});
    CHECK(d.values() == product(a, b, start));
  });
}

TEST_CASE("mma.sync multiplies tiles of bf16, f16 and tf32") {
  check_multiply<uint16_t>(Format::kBf16, 16);
  check_multiply<uint16_t>(Format::kF16, 16);
  check_multiply<uint32_t>(Format::kTf32, 8);
}

TEST_CASE("ldmatrix loads the fragments that mma.sync reads") {
  const auto a = small_integers(256, 3), b = small_integers(128, 4);
  std::vector<int> columns(128);  // [8, 16], k contiguous
  for (int k = 0; k < 16; ++k) {
    for (int j = 0; j < 8; ++j) columns[j * 16 + k] = b[k * 8 + j];
  }
  for_each_order([&] {
    const DeviceArray<uint16_t> da(encode<uint16_t>(a, Format::kBf16), "a");
    const DeviceArray<uint16_t> db(encode<uint16_t>(columns, Format::kBf16), "b");
    DeviceArray<float> d(128, "d");
    emu::multiply_ldmatrix(da.get(), db.get(), d.get(), {});
    CHECK(d.values() == product(a, b, std::vector<float>(128, 0.0f)));
  });
}

TEST_CASE("ldmatrix gives each lane two neighbors of a row, or of a column when transposed") {
  std::vector<uint16_t> x(256);
  for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<uint16_t>(i * 251);
  for_each_order([&] {
    for (const bool transposed : {false, true}) {
      const DeviceArray<uint16_t> device(x, "x");
      DeviceArray<uint32_t> y(128, "y");
      emu::load_matrix(transposed, device.get(), y.get(), {});
      const auto got = y.values();
      for (int lane = 0; lane < 32; ++lane) {
        for (int m = 0; m < 4; ++m) {
          const auto element = [&](int row, int column) {
            return uint32_t{transposed ? x[m * 64 + column * 8 + row]
                                       : x[m * 64 + row * 8 + column]};
          };
          const int row = lane / 4, column = lane % 4 * 2;
          CHECK(got[lane * 4 + m] == (element(row, column) | element(row, column + 1) << 16));
        }
      }
    }
  });
}

TEST_CASE("tf32 rounds to ten bits of mantissa, ties away from zero") {
  std::vector<float> x = {0.0f,
                          -0.0f,
                          1.0f,
                          1.0f + 0x1p-11f,
                          -1.0f - 0x1p-11f,
                          1.0f + 0x1p-12f,
                          1.0f + 0x1p-10f,
                          3.14159274f,
                          INFINITY,
                          -INFINITY,
                          0x1.fffp127f,
                          0x1p-130f};
  std::mt19937 generator(5);
  while (x.size() < 500) {
    const float v = std::bit_cast<float>(static_cast<uint32_t>(generator()));
    if (std::isfinite(v)) x.push_back(v);
  }
  const DeviceArray<float> device(x, "x");
  DeviceArray<uint32_t> y(x.size(), "y");
  emu::round_tf32(device.get(), y.get(), static_cast<int>(x.size()), {});
  const auto got = y.values();
  for (size_t i = 0; i < x.size(); ++i) {
    // A multiple of 2^(exponent - 10), subnormals of 2^-136.
    const double v = x[i];
    double expected = v;
    if (std::isfinite(v) && v != 0) {
      const double unit = std::ldexp(1.0, std::max(std::ilogb(v), -126) - 10);
      expected = std::round(v / unit) * unit;  // std::round: ties away from zero
      if (std::abs(expected) > 3.4028235677973366e38) expected = std::copysign(INFINITY, v);
    }
    INFO("x " << x[i]);
    CHECK(static_cast<double>(std::bit_cast<float>(got[i])) == expected);
  }
}

}  // namespace
}  // namespace ebb
