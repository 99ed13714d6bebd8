// BMP, TGA and PNM, written here byte by byte.
#include "base/error.h"
#include "image/exif.h"
#include "image/raster_formats.h"
#include "testing/catch.h"
#include "testing/errors.h"

namespace ebb {
namespace {

using Catch::Matchers::Contains;
using Bytes = std::vector<uint8_t>;
using Decoder = Image (*)(std::span<const uint8_t>, const std::string&);

Bytes bytes_of(const std::string& text) { return {text.begin(), text.end()}; }

void put(Bytes& bytes, uint32_t value, int count) {
  for (int i = 0; i < count; ++i) bytes.push_back(static_cast<uint8_t>(value >> 8 * i));
}

Bytes operator+(Bytes a, const Bytes& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

std::string refusal(Decoder decode, const Bytes& file) {
  return test::message_of<FormatError>([&] { decode(file, "x.img"); });
}

// Every proper start of the file is refused; `slack` bytes at its end may be missing.
void check_cuts(Decoder decode, const Bytes& file, size_t slack = 0) {
  CHECK_NOTHROW(decode(file, "x.img"));
  for (size_t size = 0; size + slack < file.size(); ++size) {
    CAPTURE(size, file.size());
    const std::string message =
        refusal(decode, Bytes(file.begin(), file.begin() + static_cast<int64_t>(size)));
    CHECK_THAT(message, Contains("x.img: "));
  }
}

struct BmpSpec {
  int32_t width = 2, height = 2;
  uint32_t bits = 24;
  uint32_t compression = 0;
  uint32_t colors = 0;
  uint32_t header = 40;
  Bytes extra = {};  // masks, palette
  Bytes pixels = {};
};

Bytes bmp(const BmpSpec& spec) {
  Bytes file = bytes_of("BM");
  put(file, 0, 8);
  put(file, 14 + spec.header + static_cast<uint32_t>(spec.extra.size()), 4);
  put(file, spec.header, 4);
  const int side = spec.header == 12 ? 2 : 4;
  put(file, static_cast<uint32_t>(spec.width), side);
  put(file, static_cast<uint32_t>(spec.height), side);
  put(file, 1, 2);
  put(file, spec.bits, 2);
  if (spec.header > 12) {
    put(file, spec.compression, 4);
    put(file, 0, 4);
    put(file, 0, 4);
    put(file, 0, 4);
    put(file, spec.colors, 4);
    put(file, 0, 4);
  }
  return file + spec.extra + spec.pixels;
}

TEST_CASE("BMPs of 24 bits are read bottom-up and top-down") {
  // Rows of two pixels, blue green red, padded to 8 bytes.
  const Bytes rows = {1, 2, 3, 4, 5, 6, 0, 0, 7, 8, 9, 10, 11, 12, 0, 0};
  const Bytes up = bmp({.pixels = rows});
  CHECK(decode_bmp(up, "x").pixels == Bytes({9, 8, 7, 12, 11, 10, 3, 2, 1, 6, 5, 4}));
  const Bytes down = bmp({.height = -2, .pixels = rows});
  CHECK(decode_bmp(down, "x").pixels == Bytes({3, 2, 1, 6, 5, 4, 9, 8, 7, 12, 11, 10}));
  check_cuts(decode_bmp, up, 2);  // the padding of the last row
  CHECK(read_bmp_info(up, "x").pixels == "24-bit color");
}

TEST_CASE("BMPs with a palette are read, also of OS/2 and with fewer colors than bits") {
  const Bytes two = {0, 0, 0, 0, 30, 20, 10, 0};  // black, and one color
  const Bytes rows = {1, 0, 0, 0, 0, 1, 0, 0};    // indices of 8 bits
  const Image image = decode_bmp(bmp({.bits = 8, .colors = 2, .extra = two, .pixels = rows}), "x");
  CHECK(image.pixels == Bytes({0, 0, 0, 10, 20, 30, 10, 20, 30, 0, 0, 0}));
  // An index without a color is black, not what memory holds.
  const Bytes wild = {200, 1, 0, 0, 1, 1, 0, 0};
  const Image dark = decode_bmp(bmp({.bits = 8, .colors = 2, .extra = two, .pixels = wild}), "x");
  CHECK(Bytes(dark.pixels.end() - 6, dark.pixels.end()) == Bytes({0, 0, 0, 10, 20, 30}));
  // OS/2: colors of three bytes, all of 256, in a short header.
  Bytes palette;
  for (uint32_t i = 0; i < 256; ++i) put(palette, i | i << 8 | i << 16, 3);
  const Bytes os2 =
      bmp({.bits = 8, .header = 12, .extra = palette, .pixels = {255, 9, 0, 0, 1, 254, 0, 0}});
  CHECK(decode_bmp(os2, "x") == Image{2, 2, 1, {1, 254, 255, 9}});
  const Bytes bits = bmp({.bits = 1,
                          .extra = {0, 0, 0, 0, 255, 255, 255, 0},
                          .pixels = {0x40, 0, 0, 0, 0x80, 0, 0, 0}});
  CHECK(decode_bmp(bits, "x") == Image{2, 2, 1, {255, 0, 0, 255}});
}

TEST_CASE("BMPs of 16 and 32 bits follow their masks") {
  Bytes masks;
  for (const uint32_t mask : {0xF800u, 0x07E0u, 0x001Fu}) put(masks, mask, 4);
  Bytes pixels;
  put(pixels, 0xF800, 2);  // red
  put(pixels, 0x07E0, 2);  // green
  const Bytes file =
      bmp({.height = 1, .bits = 16, .compression = 3, .extra = masks, .pixels = pixels});
  CHECK(decode_bmp(file, "x").pixels == Bytes({255, 0, 0, 0, 255, 0}));
  const Bytes opaque = bmp({.height = 1, .bits = 32, .pixels = {1, 2, 3, 0, 4, 5, 6, 0}});
  CHECK(decode_bmp(opaque, "x").pixels == Bytes({3, 2, 1, 6, 5, 4}));
  const Bytes alpha = bmp({.height = 1, .bits = 32, .pixels = {1, 2, 3, 255, 4, 5, 6, 9}});
  CHECK(decode_bmp(alpha, "x").pixels == Bytes({3, 2, 1, 255, 6, 5, 4, 9}));
}

TEST_CASE("BMPs that ebb does not read are named, and large ones refused before decoding") {
  CHECK_THAT(refusal(decode_bmp, bmp({.bits = 8, .compression = 1})), Contains("run-length"));
  CHECK_THAT(refusal(decode_bmp, bmp({.bits = 24, .compression = 4})), Contains("holds a JPEG"));
  CHECK_THAT(refusal(decode_bmp, bmp({.bits = 7})), Contains("7 bits a pixel"));
  CHECK_THAT(refusal(decode_bmp, bmp({.width = 16385})), Contains("16385 x 2"));
  CHECK_THAT(refusal(decode_bmp, bmp({.height = INT32_MIN})), Contains("2147483648"));
  CHECK_THAT(refusal(decode_bmp, bmp({.width = 16000, .height = 4000})), Contains("need "));
  CHECK_THAT(refusal(decode_bmp, bmp({.width = 0})), Contains("at least 1"));
}

struct TgaSpec {
  uint32_t type = 2, bits = 24, descriptor = 0x20;  // top to bottom
  uint32_t width = 2, height = 2;
  Bytes map = {};  // colors of 24 bits
  Bytes pixels = {};
};

Bytes tga(const TgaSpec& spec) {
  Bytes file = {3, static_cast<uint8_t>(spec.map.empty() ? 0 : 1), static_cast<uint8_t>(spec.type),
                0, 0};
  put(file, static_cast<uint32_t>(spec.map.size() / 3), 2);
  put(file, spec.map.empty() ? 0 : 24, 1);
  put(file, 0, 4);
  put(file, spec.width, 2);
  put(file, spec.height, 2);
  put(file, spec.bits, 1);
  put(file, spec.descriptor, 1);
  return file + bytes_of("id.") + spec.map + spec.pixels;
}

TEST_CASE("TGAs are read in all four orientations") {
  const Bytes four = {10, 20, 30, 40};  // gray
  const auto with = [&](uint32_t descriptor) {
    return decode_tga(tga({.type = 3, .bits = 8, .descriptor = descriptor, .pixels = four}), "x")
        .pixels;
  };
  CHECK(with(0x20) == Bytes({10, 20, 30, 40}));
  CHECK(with(0x00) == Bytes({30, 40, 10, 20}));
  CHECK(with(0x30) == Bytes({20, 10, 40, 30}));
  CHECK(with(0x10) == Bytes({40, 30, 20, 10}));
}

TEST_CASE("TGAs of color, with alpha, with a map and run-length coded are read") {
  const Bytes color = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
  const Bytes plain = tga({.pixels = color});
  CHECK(decode_tga(plain, "x").pixels == Bytes({3, 2, 1, 6, 5, 4, 9, 8, 7, 12, 11, 10}));
  check_cuts(decode_tga, plain);
  const Bytes runs = tga({.type = 10, .pixels = {0x82, 1, 2, 3, 0x00, 4, 5, 6}});
  CHECK(decode_tga(runs, "x").pixels == Bytes({3, 2, 1, 3, 2, 1, 3, 2, 1, 6, 5, 4}));
  check_cuts(decode_tga, runs);
  const Bytes mapped =
      tga({.type = 1, .bits = 8, .map = {0, 0, 0, 1, 2, 3}, .pixels = {1, 0, 0, 1}});
  CHECK(decode_tga(mapped, "x").pixels == Bytes({3, 2, 1, 0, 0, 0, 0, 0, 0, 3, 2, 1}));
  check_cuts(decode_tga, mapped);
  const TgaSpec alpha{.bits = 32, .height = 1, .pixels = {1, 2, 3, 200, 4, 5, 6, 0}};
  CHECK(decode_tga(tga(alpha), "x").pixels == Bytes({3, 2, 1, 200, 6, 5, 4, 0}));
  TgaSpec unused = alpha;
  unused.pixels[3] = 0;
  CHECK(decode_tga(tga(unused), "x").pixels == Bytes({3, 2, 1, 6, 5, 4}));
}

TEST_CASE("TGAs that ebb does not read are named") {
  CHECK_THAT(refusal(decode_tga, tga({.type = 32})), Contains("type 32"));
  CHECK_THAT(refusal(decode_tga, tga({.type = 2, .bits = 8})), Contains("Save it again as PNG"));
  CHECK_THAT(refusal(decode_tga, tga({.width = 17000})), Contains("17000 x 2"));
}

TEST_CASE("PNMs as text and binary give the same image") {
  const Image gray{3, 2, 1, {0, 51, 255, 255, 102, 0}};
  CHECK(decode_pnm(bytes_of("P2\n# by hand\n3 2\n5\n0 1 5\n5 2 0"), "x") == gray);
  CHECK(decode_pnm(bytes_of("P5 3 2 5\n") + Bytes{0, 1, 5, 5, 2, 0}, "x") == gray);
  CHECK(decode_pnm(bytes_of("P5 3 2 255\n") + gray.pixels, "x") == gray);
  const Image color{1, 2, 3, {255, 0, 128, 1, 2, 3}};
  CHECK(decode_pnm(bytes_of("P3 1 2 255 255 0 128 1 2 3"), "x") == color);
  CHECK(decode_pnm(bytes_of("P6 1 2 255\n") + color.pixels, "x") == color);
  // Sixteen bits, most significant first.
  CHECK(decode_pnm(bytes_of("P5 2 1 65535\n") + Bytes{0xFF, 0xFF, 0x80, 0x00}, "x") ==
        Image{2, 1, 1, {255, 128}});
  const Image bits{10, 1, 1, {0, 255, 255, 255, 255, 255, 255, 0, 255, 0}};
  CHECK(decode_pnm(bytes_of("P1 10 1 1000000101"), "x") == bits);
  CHECK(decode_pnm(bytes_of("P4 10 1\n") + Bytes{0x81, 0x40}, "x") == bits);
  CHECK(read_pnm_info(bytes_of("P1 10 1 1000000101"), "x").pixels == "1-bit gray as text");
}

TEST_CASE("PNMs that are cut or hold no numbers are refused") {
  check_cuts(decode_pnm, bytes_of("P5 3 2 5\n") + Bytes{0, 1, 5, 5, 2, 0});
  check_cuts(decode_pnm, bytes_of("P6 1 1 300\n") + Bytes{0, 1, 0, 2, 1, 3});
  check_cuts(decode_pnm, bytes_of("P4 9 1\n") + Bytes{0x81, 0x40});
  CHECK_THAT(refusal(decode_pnm, bytes_of("P2 2 1 9 3 x")), Contains("a sample"));
  CHECK_THAT(refusal(decode_pnm, bytes_of("P2 2 1 9 3 10")), Contains("from 0 to 9"));
  CHECK_THAT(refusal(decode_pnm, bytes_of("P5 2 1 0\nab")), Contains("largest value"));
  CHECK_THAT(refusal(decode_pnm, bytes_of("P5 99999999999 1 9\nab")), Contains("the width"));
  CHECK_THAT(refusal(decode_pnm, bytes_of("P5 16385 1 9\nab")), Contains("16385 x 1"));
  CHECK_THAT(refusal(decode_pnm, bytes_of("P5 16384 4096 9\nab")), Contains("need at least"));
}

}  // namespace
}  // namespace ebb
