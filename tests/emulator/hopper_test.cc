#include <vector>

#include "base/error.h"
#include "testing/catch.h"
#include "testing/emulated.h"
#include "tests/emulator/primitives.h"
#include "tests/emulator/wgmma_operands.h"

namespace ebb {
namespace {

using simt::emulator::Format;
using simt::emulator::TensorMap;
using test::DeviceArray;
using test::for_each_order;

std::vector<uint16_t> counting(size_t count) {
  std::vector<uint16_t> x(count);
  for (size_t i = 0; i < count; ++i) x[i] = static_cast<uint16_t>(i + 1);
  return x;
}

TEST_CASE("TMA copies a tile, with zeros outside the tensor and chunks swizzled by row") {
  const auto x = counting(20 * 72);  // 20 rows of 70 with a pitch of 72
  for_each_order([&] {
    const DeviceArray<uint16_t> device(x, "x");
    for (const bool swizzled : {false, true}) {
      for (const auto& [c0, c1] : {std::pair{0, 0}, {8, 3}, {-8, -2}, {40, 15}, {104, 100}}) {
        TensorMap map;
        map.base = device.get();
        map.element_bytes = 2;
        map.rank = 2;
        map.sizes[0] = 70;
        map.sizes[1] = 20;
        map.strides[0] = 144;
        map.box[0] = 64;
        map.box[1] = 16;
        map.element_strides[0] = map.element_strides[1] = 1;
        map.swizzle_128 = swizzled;
        DeviceArray<uint16_t> y(1024, "y");
        emu::tma_tile_2d(map, c0, c1, y.get(), 1024, {});
        const auto got = y.values();
        for (int r = 0; r < 16; ++r) {
          for (int c = 0; c < 64; ++c) {
            const int gx = c0 + c, gy = c1 + r;
            const bool inside = gx >= 0 && gx < 70 && gy >= 0 && gy < 20;
            const int chunk = swizzled ? c / 8 ^ r % 8 : c / 8;
            INFO("row " << r << " column " << c << " from " << c0 << ", " << c1);
            CHECK(got[r * 64 + chunk * 8 + c % 8] == (inside ? x[gy * 72 + gx] : 0));
          }
        }
      }
    }
  });
}

// {C, W, H, N} = {16, 5, 4, 3}
TensorMap image_map(const void* base) {
  TensorMap map;
  map.base = base;
  map.element_bytes = 2;
  map.rank = 4;
  const uint64_t sizes[] = {16, 5, 4, 3}, strides[] = {32, 160, 640};
  for (int i = 0; i < 4; ++i) map.sizes[i] = sizes[i];
  for (int i = 0; i < 3; ++i) map.strides[i] = strides[i];
  for (uint32_t& s : map.element_strides) s = 1;
  return map;
}

uint16_t pixel(const std::vector<uint16_t>& x, int c, int w, int h, int n) {
  const bool inside = c >= 0 && c < 16 && w >= 0 && w < 5 && h >= 0 && h < 4 && n >= 0 && n < 3;
  return inside ? x[((n * 4 + h) * 5 + w) * 16 + c] : uint16_t{0};
}

TEST_CASE("TMA copies boxes of images with steps between the pixels") {
  const auto x = counting(3 * 4 * 5 * 16);
  for_each_order([&] {
    const DeviceArray<uint16_t> device(x, "x");
    for (const int step : {1, 2}) {
      TensorMap map = image_map(device.get());
      const uint32_t box[] = {8, 3, 4, 2};
      for (int i = 0; i < 4; ++i) map.box[i] = box[i];
      map.element_strides[1] = map.element_strides[2] = static_cast<uint32_t>(step);
      DeviceArray<uint16_t> y(192, "y");
      emu::tma_tile_4d(map, 8, -1, -1, 1, y.get(), 192, {});
      const auto got = y.values();
      for (int i = 0; i < 192; ++i) {
        const int c = i % 8, w = i / 8 % 3, h = i / 24 % 4, n = i / 96;
        CHECK(got[i] == pixel(x, 8 + c, -1 + w * step, -1 + h * step, 1 + n));
      }
    }
  });
}

TEST_CASE(
    "TMA im2col reads the pixels that a tap of a 3x3 convolution meets, run over row and image "
    "ends") {
  const auto x = counting(3 * 4 * 5 * 16);
  for_each_order([&] {
    const DeviceArray<uint16_t> device(x, "x");
    for (const int stride : {1, 2}) {
      TensorMap map = image_map(device.get());
      map.im2col = true;
      map.lower[0] = map.lower[1] = -1;  // pad 1
      map.upper[0] = map.upper[1] = -1;  // pad 1 less kernel 3 - 1
      map.channels = 8;
      map.pixels = 16;
      map.element_strides[1] = map.element_strides[2] = static_cast<uint32_t>(stride);
      const int ho = (4 - 1) / stride + 1, wo = (5 - 1) / stride + 1;
      for (const int first : {0, 3, 11}) {
        for (int tap = 0; tap < 9; ++tap) {
          const auto place = [&](int p, int& w, int& h, int& n) {
            w = p % wo * stride - 1;
            h = p / wo % ho * stride - 1;
            n = p / (wo * ho);
          };
          int w = 0, h = 0, n = 0;
          place(first, w, h, n);
          DeviceArray<uint16_t> y(128, "y");
          emu::tma_im2col(map, 8, w, h, n, static_cast<uint16_t>(tap % 3),
                          static_cast<uint16_t>(tap / 3), y.get(), 128, {});
          const auto got = y.values();
          for (int i = 0; i < 128; ++i) {
            place(first + i / 8, w, h, n);
            INFO("stride " << stride << " first " << first << " tap " << tap << " element " << i);
            CHECK(got[i] == pixel(x, 8 + i % 8, w + tap % 3, h + tap / 3, n));
          }
        }
      }
    }
  });
}

TEST_CASE("a ring of stages filled by TMA hands over every row") {
  const int rows = 10;
  std::vector<int32_t> x(rows * 64);
  for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<int32_t>(i * i % 1009);
  for_each_order([&] {
    const DeviceArray<int32_t> device(x, "x");
    TensorMap map;
    map.base = device.get();
    map.element_bytes = 4;
    map.rank = 2;
    map.sizes[0] = 64;
    map.sizes[1] = rows;
    map.strides[0] = 256;
    map.box[0] = 64;
    map.box[1] = 1;
    map.element_strides[0] = map.element_strides[1] = 1;
    DeviceArray<int32_t> y(64, "y");
    emu::tma_ring(map, rows, y.get(), {});
    const auto got = y.values();
    for (int t = 0; t < 64; ++t) {
      int32_t sum = 0;
      for (int r = 0; r < rows; ++r) sum += x[r * 64 + t];
      CHECK(got[t] == sum);
    }
  });
}

TEST_CASE("tensor maps that the driver would refuse are refused") {
  alignas(16) static uint16_t data[1024];
  const auto tile = [](const void* base, int64_t pitch, int columns, int rows) {
    return simt::tensor_map_2d(base, simt::MapElement::kBf16, 64, 8, pitch, columns, rows);
  };
  CHECK_NOTHROW(tile(data, 64, 64, 8));
  CHECK_THROWS_AS(tile(data + 1, 64, 64, 8), DeviceError);  // base between two chunks
  CHECK_THROWS_AS(tile(data, 68, 64, 8), DeviceError);      // stride of 136 bytes
  CHECK_THROWS_AS(tile(data, 64, 128, 8), DeviceError);     // a row of 256 bytes
  CHECK_THROWS_AS(tile(data, 64, 64, 257), DeviceError);    // too many rows
  simt::Im2colShape shape{.c = 8, .w = 4, .h = 4, .n = 1, .pitch = 8};
  shape.channels = 8;
  shape.pixels = 16;
  const auto image = [&] { return simt::tensor_map_im2col(data, simt::MapElement::kF16, shape); };
  CHECK_NOTHROW(image());
  shape.lower_w = -129;
  CHECK_THROWS_AS(image(), DeviceError);
  shape.lower_w = 0;
  shape.step_h = 9;
  CHECK_THROWS_AS(image(), DeviceError);
  shape.step_h = 1;
  shape.pixels = 1025;
  CHECK_THROWS_AS(image(), DeviceError);
}

void check_product(Format format, int n, bool mn_major) {
  const WgmmaOperands operands = wgmma_operands(format, n, mn_major);
  const int depth = operands.depth;
  for_each_order([&] {
    const DeviceArray<uint32_t> device(operands.words, "image");
    DeviceArray<float> d(64 * n, "d");
    emu::wgmma_product(operands.c, device.get(), static_cast<int>(operands.words.size()), d.get(),
                       {});
    const auto got = d.values();
    for (int i = 0; i < 64; ++i) {
      for (int j = 0; j < n; ++j) {
        int sum = 0;
        for (int k = 0; k < depth; ++k)
          sum += operands.a[i * depth + k] * operands.b[j * depth + k];
        if (got[i * n + j] == static_cast<float>(sum)) continue;
        INFO("format " << static_cast<int>(format) << " n " << n << " row " << i << " column "
                       << j);
        REQUIRE(got[i * n + j] == static_cast<float>(sum));
      }
    }
    CHECK(got.size() == static_cast<size_t>(64 * n));
  });
}

TEST_CASE("wgmma multiplies K-major tiles of every width") {
  for (const int n : {64, 96, 128, 192, 256}) {
    check_product(Format::kBf16, n, false);
    check_product(Format::kF16, n, false);
    check_product(Format::kTf32, n, false);
  }
}

TEST_CASE("wgmma multiplies MN-major tiles of 16-bit types") {
  for (const int n : {64, 128, 192, 256}) {
    check_product(Format::kBf16, n, true);
    check_product(Format::kF16, n, true);
  }
}

}  // namespace
}  // namespace ebb
