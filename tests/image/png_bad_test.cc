// Damaged and hostile PNG files: each is refused with a FormatError that names the file.
#include "base/error.h"
#include "image/png.h"
#include "testing/catch.h"
#include "testing/temp_dir.h"
#include "tests/image/png_builder.h"

namespace ebb {
namespace {

using Catch::Matchers::Contains;
using test::png_chunk;
using test::PngSpec;

// The message of the FormatError that reading the image ends with; empty when it is accepted.
std::string read_error(const std::string& png) {
  const test::TempDir dir;
  test::put_file(dir / "bad.png", png);
  try {
    read_png(dir / "bad.png");
    return "";
  } catch (const FormatError& error) {
    CHECK_THAT(error.what(), Contains("bad.png: "));
    return error.what();
  }
}

std::string sample_png(const PngSpec& spec) {
  return test::make_png(
      spec, [&](uint32_t x, uint32_t y, int c) { return test::test_sample(spec, x, y, c); });
}

std::string rows_of(const PngSpec& spec) {
  return test::png_rows(
      spec, [&](uint32_t x, uint32_t y, int c) { return test::test_sample(spec, x, y, c); }, 0, 0,
      1, 1);
}

Image decoded(const std::string& png) {
  return decode_png({reinterpret_cast<const uint8_t*>(png.data()), png.size()}, "bad.png");
}

TEST_CASE("a file cut anywhere before the end of its image data is refused") {
  PngSpec spec{9, 9, 8, 2, 0, png_chunk("tEXt", std::string("k\0v", 3)), ""};
  const std::string png = sample_png(spec);
  REQUIRE(read_error(png).empty());
  const size_t end_of_data = png.size() - 12;  // IEND
  for (size_t size = 0; size < end_of_data; ++size) {
    CAPTURE(size);
    CHECK_FALSE(read_error(png.substr(0, size)).empty());
  }
  for (size_t size = end_of_data; size < png.size(); ++size) {
    CAPTURE(size);
    CHECK(decoded(png.substr(0, size)) == decoded(png));
  }
}

TEST_CASE("any flipped bit is refused, or stands in a chunk that decides about no pixel") {
  PngSpec spec{5, 3, 4, 3, 0, png_chunk("PLTE", std::string(48, 'p')), ""};
  const std::string time = png_chunk("tIME", "1234567");
  spec.before_data += time;
  spec.after_data = time;
  const std::string png = sample_png(spec);
  const Image whole = decoded(png);
  const size_t skipped = png.find("tIME") - 4, data = png.find("IDAT");
  const size_t behind = png.rfind("tIME") - 4;
  for (size_t bit = 0; bit < png.size() * 8; ++bit) {
    std::string damaged = png;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ 1 << bit % 8);
    CAPTURE(bit / 8, bit % 8);
    const bool may_pass = bit / 8 >= behind || (bit / 8 >= skipped && bit / 8 < data - 4);
    try {
      const Image image = decoded(damaged);
      CHECK(may_pass);
      CHECK(image == whole);
    } catch (const FormatError& error) {
      CHECK_THAT(error.what(), Contains("bad.png: "));
    }
  }
}

TEST_CASE("what libpng passes over with a warning is passed over, and named") {
  const PngSpec spec;
  const std::string rows = rows_of(spec), data = test::deflated(rows);
  const Image clean = decoded(test::png_around(spec, data));
  const auto warning = [&](const std::string& png) {
    CHECK(decoded(png) == clean);
    return describe_png({reinterpret_cast<const uint8_t*>(png.data()), png.size()}, "x.png");
  };
  CHECK_THAT(warning(test::png_around(spec, data + "x")),
             Contains("ignored: bytes follow the end"));
  CHECK_THAT(warning(test::png_around(spec, data + std::string(5000, '\0'))),
             Contains("bytes follow the end"));
  CHECK_THAT(warning(test::png_around(spec, test::deflated(rows + std::string(300, '\0')))),
             Contains("goes on after the 20 bytes"));
  const std::string header = test::kPngSignature + test::png_header(spec);
  const std::string idat = png_chunk("IDAT", data), end = png_chunk("IEND", "");
  const std::string text = png_chunk("tEXt", std::string("k\0v", 3));
  CHECK_THAT(warning(header + idat), Contains("without an IEND"));
  CHECK_THAT(warning(header + idat + text + idat + end), Contains("behind another chunk"));
  CHECK_THAT(warning(header + idat + png_chunk("IEND", "x")), Contains("IEND holds data"));
  CHECK_THAT(warning(header + png_chunk("PLTE", "123") + idat + end), !Contains("ignored"));
  CHECK_THAT(warning(header + png_chunk("tRNS", "1") + idat + end), Contains("tRNS of 1"));
  std::string broken = text;
  broken.back() = static_cast<char>(broken.back() ^ 1);
  CHECK_THAT(warning(header + broken + idat + end), Contains("chunk tEXt") && Contains("CRC"));
  CHECK_THAT(warning(header + idat + "\x1b[31m, not a chunk"),
             Contains("four letters") && !Contains("\x1b"));
}

TEST_CASE("an eXIf chunk turns the image, before or behind its data") {
  const PngSpec spec{3, 2, 8, 0, 0, "", ""};
  PngSpec before = spec, behind = spec;
  // Orientation 6 (turn right), big endian: the TIFF structure alone.
  const std::string tiff("MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0", 26);
  before.before_data = behind.after_data = png_chunk("eXIf", tiff);
  const Image plain = decoded(sample_png(spec)), turned = decoded(sample_png(before));
  REQUIRE(turned.width == 2);
  REQUIRE(turned.height == 3);
  CHECK(turned.pixels[0] == plain.pixels[3]);
  CHECK(turned.pixels[1] == plain.pixels[0]);
  CHECK(decoded(sample_png(behind)) == turned);
  const std::string png = sample_png(before);
  CHECK_THAT(describe_png({reinterpret_cast<const uint8_t*>(png.data()), png.size()}, "x.png"),
             Contains("EXIF orientation 6"));
}

TEST_CASE("other kinds of files are named") {
  CHECK_THAT(read_error(""), Contains("empty"));
  CHECK_THAT(read_error("\xFF\xD8\xFF\xE0 JFIF"), Contains("JPEG"));
  CHECK_THAT(read_error("GIF89a......"), Contains("GIF"));
  CHECK_THAT(read_error("<!DOCTYPE html>"), Contains("HTML"));
  CHECK_THAT(read_error("version https://git-lfs.github.com/spec/v1\n"), Contains("Git LFS"));
  CHECK_THAT(read_error("\x89PNG\r\n\x1a"), Contains("not a PNG"));
}

TEST_CASE("sides and pixels beyond the limits are refused before anything is allocated") {
  const std::string data = test::deflated(std::string(100, '\0'));
  for (const auto& [width, height] : {std::pair{0u, 4u},
                                      {4u, 0u},
                                      {16385u, 1u},
                                      {1u, 16385u},
                                      {16384u, 4097u},
                                      {0x7FFFFFFFu, 0x7FFFFFFFu},
                                      {0xFFFFFFFFu, 0xFFFFFFFFu}}) {
    CAPTURE(width, height);
    CHECK_THAT(read_error(test::png_around({width, height, 16, 6, 0, "", ""}, data)),
               Contains("image of"));
  }
  // Within the limits, but the data is not there.
  CHECK_THAT(read_error(test::png_around({16384, 4096, 16, 6, 0, "", ""}, data)),
             Contains("100 of the"));
}

TEST_CASE("undefined header fields are refused") {
  const std::string data = test::deflated(std::string(20, '\0'));
  for (const auto& [depth, color] : {std::pair{3, 0},
                                     {0, 0},
                                     {32, 0},
                                     {4, 2},
                                     {16, 3},
                                     {1, 4},
                                     {2, 6},
                                     {8, 1},
                                     {8, 5},
                                     {8, 7},
                                     {8, 255}}) {
    CAPTURE(depth, color);
    CHECK_THAT(read_error(test::png_around({4, 4, depth, color, 0, "", ""}, data)),
               Contains("color type"));
  }
  CHECK_THAT(read_error(test::png_around({4, 4, 8, 0, 2, "", ""}, data)), Contains("interlace 2"));
}

TEST_CASE("too little image data is refused") {
  const PngSpec spec;
  const std::string rows = rows_of(spec);
  CHECK_THAT(read_error(test::png_around(spec, test::deflated(rows.substr(0, 10)))),
             Contains("10 of the 20 bytes"));
  CHECK_THAT(read_error(test::png_around(spec, "")), Contains("0 of the 20 bytes"));
  CHECK_THAT(read_error(test::png_around(spec, "no zlib stream")), Contains("corrupt"));
}

TEST_CASE("a wrong Adler checksum of the image data is refused") {
  const PngSpec spec;
  std::string data = test::deflated(rows_of(spec));
  data.back() = static_cast<char>(data.back() ^ 1);
  CHECK_THAT(read_error(test::png_around(spec, data)), Contains("corrupt"));
}

TEST_CASE("image data that is cut inside its checksum is refused") {
  const PngSpec spec;
  std::string data = test::deflated(rows_of(spec));
  data.resize(data.size() - 1);
  CHECK_THAT(read_error(test::png_around(spec, data)), Contains("ends before its checksum"));
}

TEST_CASE("a compression bomb costs no more than the image that it claims to be") {
  // The stream ends in a wrong checksum, which a reader that inflates all of it would report.
  std::string bomb = test::deflated(std::string(1 << 20, '\0'));
  bomb.back() = static_cast<char>(bomb.back() ^ 1);
  CHECK(decoded(test::png_around({1, 1, 8, 0, 0, "", ""}, bomb)).pixels == std::vector<uint8_t>{0});
}

TEST_CASE("an undefined row filter is refused") {
  const PngSpec spec;
  std::string rows = rows_of(spec);
  rows[5] = 5;
  CHECK_THAT(read_error(test::png_around(spec, test::deflated(rows))),
             Contains("cannot be decoded"));
}

TEST_CASE("chunks that are missing, doubled, unknown or out of order are refused") {
  const PngSpec spec;
  const std::string header = test::png_header(spec), end = png_chunk("IEND", "");
  const std::string data = png_chunk("IDAT", test::deflated(rows_of(spec)));
  const auto file = [](const std::string& chunks) { return test::kPngSignature + chunks; };
  REQUIRE(read_error(file(header + data + end)).empty());
  CHECK_THAT(read_error(file(data + end)), Contains("starts with a chunk IDAT"));
  CHECK_THAT(read_error(file(header + header + data + end)), Contains("critical chunk IHDR"));
  CHECK_THAT(read_error(file(header + end)), Contains("IEND without image data"));
  CHECK_THAT(read_error(file(header + png_chunk("ABCD", "") + data + end)),
             Contains("critical chunk ABCD"));
  CHECK_THAT(read_error(file(header +
                             png_chunk("a\x1b"
                                       "cd",
                                       "") +
                             data + end)),
             Contains("four letters") && !Contains("\x1b"));
  CHECK(
      read_error(file(header + png_chunk("abCd", "unknown, may be skipped") + data + end)).empty());
}

TEST_CASE("palettes that do not fit are refused, and transparency that does not is left out") {
  const PngSpec gray, palette{4, 4, 2, 3, 0, "", ""};
  const auto with = [](PngSpec spec, const std::string& chunks) {
    spec.before_data = chunks;
    return sample_png(spec);
  };
  const std::string four = png_chunk("PLTE", "abcdefghijkl");
  const Image plain = decoded(with(palette, four));
  CHECK_THAT(read_error(with(palette, "")), Contains("without a PLTE"));
  CHECK_THAT(read_error(with(palette, png_chunk("PLTE", ""))), Contains("PLTE holds 0"));
  CHECK_THAT(read_error(with(palette, png_chunk("PLTE", "1234"))), Contains("PLTE holds 4"));
  CHECK_THAT(read_error(with(palette, four + four)), Contains("PLTE comes twice"));
  CHECK(decoded(with(palette, png_chunk("PLTE", "abcdefghijklmno"))) == plain);
  CHECK(decoded(with(palette, four + png_chunk("tRNS", "12345"))) == plain);
  CHECK(decoded(with(palette, png_chunk("tRNS", "12") + four)) == plain);
  CHECK(decoded(with(palette, four + png_chunk("tRNS", "12"))).channels == 4);
  CHECK(decoded(with(gray, four)) == decoded(sample_png(gray)));
  const PngSpec rgba{4, 4, 8, 6, 0, "", ""};
  CHECK(decoded(with(rgba, png_chunk("tRNS", "12"))) == decoded(sample_png(rgba)));
}

TEST_CASE("a color that the palette lacks is black") {
  const PngSpec spec{4, 1, 2, 3, 0, png_chunk("PLTE", std::string(9, 'p')), ""};
  const std::string png =
      test::make_png(spec, [](uint32_t x, uint32_t, int) { return x == 2 ? 3u : 0u; });
  const Image image = decoded(png);
  CHECK(image.pixels ==
        std::vector<uint8_t>({'p', 'p', 'p', 'p', 'p', 'p', 0, 0, 0, 'p', 'p', 'p'}));
  CHECK_THAT(describe_png({reinterpret_cast<const uint8_t*>(png.data()), png.size()}, "x.png"),
             Contains("1 pixels have a color that the palette of 3 lacks"));
}

TEST_CASE("text chunks that break their layout are left out with a warning") {
  const auto with = [](const std::string& type, const std::string& data) {
    PngSpec spec;
    spec.before_data = png_chunk(type, data);
    const std::string png = sample_png(spec);
    const PngInfo info =
        read_png_info({reinterpret_cast<const uint8_t*>(png.data()), png.size()}, "bad.png");
    return info.warnings.empty() ? "" : info.warnings.front();
  };
  using namespace std::string_literals;
  REQUIRE(with("tEXt", "k\0v"s).empty());
  CHECK_THAT(with("tEXt", "no zero byte"), Contains("zero byte behind its keyword"));
  CHECK_THAT(with("tEXt", "\0value"s), Contains("keyword of 0 bytes"));
  CHECK_THAT(with("tEXt", std::string(80, 'k') + "\0v"s), Contains("keyword of 80 bytes"));
  CHECK_THAT(with("iTXt", "k\0"s), Contains("compression flag"));
  CHECK_THAT(with("iTXt", "k\0\0\0de"s), Contains("language tag"));
  CHECK_THAT(with("iTXt", "k\0\0\0de\0k"s), Contains("translated keyword"));
  CHECK_THAT(with("iTXt", "k\0\0\0\0\0\xFF"s), Contains("not UTF-8"));
}

TEST_CASE("a file of very many tiny chunks is refused quickly") {
  const PngSpec spec;
  const std::string tiny = png_chunk("abCd", "");
  std::string png = test::kPngSignature + test::png_header(spec);
  for (int i = 0; i < 300000; ++i) png += tiny;
  CHECK_THAT(read_error(png), Contains("more than 262144 chunks"));
}

TEST_CASE("only regular files are read") {
  CHECK_THROWS_AS(read_png("/dev/zero"), FormatError);
  CHECK_THROWS_AS(read_png("/"), FormatError);
}

}  // namespace
}  // namespace ebb
