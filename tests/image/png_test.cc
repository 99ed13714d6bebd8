#include "image/png.h"

#include "base/error.h"
#include "testing/catch.h"
#include "testing/temp_dir.h"
#include "tests/image/png_builder.h"

namespace ebb {
namespace {

using Catch::Matchers::Contains;
using test::PngSpec;

Image pattern(int width, int height, int channels) {
  Image image = make_image(width, height, channels);
  for (size_t i = 0; i < image.pixels.size(); ++i) {
    image.pixels[i] = static_cast<uint8_t>(i * 37 + i / 11);
  }
  return image;
}

std::string encoded(const Image& image, const TextChunks& text = {}) {
  const std::vector<uint8_t> bytes = encode_png(image, text);
  return {bytes.begin(), bytes.end()};
}

// Reads a PNG given as bytes.
Image decoded(const std::string& png) {
  const test::TempDir dir;
  test::put_file(dir / "x.png", png);
  return read_png(dir / "x.png");
}

PngInfo info_of(const std::string& png) {
  const test::TempDir dir;
  test::put_file(dir / "x.png", png);
  return read_png_info(dir / "x.png");
}

TEST_CASE("gray, RGB and RGBA images of odd sizes come back exactly") {
  for (const int channels : {1, 3, 4}) {
    for (const auto& [width, height] : {std::pair{1, 1}, {28, 28}, {5, 17}, {301, 2}}) {
      CAPTURE(channels, width, height);
      const Image image = pattern(width, height, channels);
      CHECK(decoded(encoded(image)) == image);
    }
  }
}

TEST_CASE("equal images give equal bytes") {
  const TextChunks text = {{"parameters", "a"}, {"ebb", "{}"}};
  CHECK(encoded(pattern(28, 28, 1), text) == encoded(pattern(28, 28, 1), text));
}

TEST_CASE("text comes back exactly, in order") {
  const TextChunks text = {{"parameters", "a \"digit\"\nSteps: 3, Seed: 1"},
                           {"ebb", "{\"prompt\":\"ein schöner Hügel 日本 🙂\"}"},
                           {"Latin", "caf\xC3\xA9"},
                           {"Long", std::string(100000, 'x')}};
  const PngInfo info = info_of(encoded(pattern(3, 3, 1), text));
  CHECK(info.text == text);
  CHECK(info.compressed_text.empty());
  REQUIRE(find_text(info.text, "ebb") != nullptr);
  CHECK(*find_text(info.text, "ebb") == text[1].text);
  CHECK(find_text(info.text, "none") == nullptr);
}

TEST_CASE("ASCII text is a tEXt chunk and other text an iTXt chunk") {
  const std::string png = encoded(pattern(3, 3, 1), {{"A", "plain"}, {"B", "caf\xC3\xA9"}});
  CHECK(png.find(test::png_chunk("tEXt", std::string("A\0plain", 7))) != std::string::npos);
  CHECK(png.find(test::png_chunk("iTXt", std::string("B\0\0\0\0\0caf\xC3\xA9", 11))) !=
        std::string::npos);
}

TEST_CASE("keywords and texts that PNG does not allow are refused") {
  const Image image = pattern(2, 2, 1);
  for (const std::string& keyword :
       {std::string(), std::string(80, 'k'), std::string(" a"), std::string("a "),
        std::string("a\nb"), std::string("\xC3\xA9")}) {
    CHECK_THROWS_AS(encode_png(image, {{keyword, "text"}}), Error);
  }
  CHECK_THROWS_AS(encode_png(image, {{"k", ""}}), Error);
  CHECK_THROWS_AS(encode_png(image, {{"k", "\xFF"}}), Error);
  CHECK_THROWS_AS(encode_png(image, {{"k", std::string("a\0b", 3)}}), Error);
  CHECK_NOTHROW(encode_png(image, {{std::string(79, 'k'), "text"}}));
}

// The samples of a PNG as 8-bit gray, RGB or RGBA (PNG specification, 13.12).
Image expected_image(const PngSpec& spec, const std::string& palette, const std::string& alpha) {
  const bool transparent = spec.color >= 4 || !alpha.empty();
  const int colors = spec.color == 0 && !transparent ? 1 : 3;
  Image image = make_image(static_cast<int>(spec.width), static_cast<int>(spec.height),
                           colors + (transparent ? 1 : 0));
  uint8_t* target = image.pixels.data();
  for (uint32_t y = 0; y < spec.height; ++y) {
    for (uint32_t x = 0; x < spec.width; ++x) {
      const auto level = [&](int channel) {
        const unsigned sample = test::test_sample(spec, x, y, channel);
        return static_cast<uint8_t>(spec.depth == 16 ? sample >> 8
                                                     : sample * 255 / ((1u << spec.depth) - 1));
      };
      const unsigned index = test::test_sample(spec, x, y, 0);
      for (int c = 0; c < colors; ++c) {
        if (spec.color == 3) {
          *target++ = static_cast<uint8_t>(palette[index * 3 + c]);
        } else {
          *target++ = level(spec.color == 2 || spec.color == 6 ? c : 0);
        }
      }
      if (spec.color == 3 && transparent) {
        *target++ = index < alpha.size() ? static_cast<uint8_t>(alpha[index]) : 255;
      } else if (transparent) {
        *target++ = level(spec.color == 4 ? 1 : 3);
      }
    }
  }
  return image;
}

TEST_CASE("every color type, depth and interlacing of PNG is read") {
  const std::vector<std::pair<int, std::vector<int>>> kinds = {
      {0, {1, 2, 4, 8, 16}}, {2, {8, 16}}, {3, {1, 2, 4, 8}}, {4, {8, 16}}, {6, {8, 16}}};
  for (const auto& [color, depths] : kinds) {
    for (const int depth : depths) {
      for (const int interlace : {0, 1}) {
        for (const auto& [width, height] : {std::pair{1u, 1u}, {3u, 2u}, {17u, 9u}, {32u, 33u}}) {
          CAPTURE(color, depth, interlace, width, height);
          PngSpec spec{width, height, depth, color, interlace, "", ""};
          std::string palette;
          if (color == 3) {
            for (int i = 0; i < 3 << depth; ++i) palette += static_cast<char>(i * 5 + 1);
            spec.before_data = test::png_chunk("PLTE", palette);
          }
          const std::string png = test::make_png(spec, [&](uint32_t x, uint32_t y, int c) {
            return test::test_sample(spec, x, y, c);
          });
          CHECK(decoded(png) == expected_image(spec, palette, ""));
        }
      }
    }
  }
}

TEST_CASE("palette transparency covers the first entries, the others are opaque") {
  PngSpec spec{7, 5, 4, 3, 0, "", ""};
  std::string palette;
  for (int i = 0; i < 48; ++i) palette += static_cast<char>(i * 5);
  const std::string alpha = "\x01\x80\xFE";
  spec.before_data = test::png_chunk("PLTE", palette) + test::png_chunk("tRNS", alpha);
  const std::string png = test::make_png(
      spec, [&](uint32_t x, uint32_t y, int c) { return test::test_sample(spec, x, y, c); });
  CHECK(decoded(png) == expected_image(spec, palette, alpha));
}

TEST_CASE("a transparent gray level becomes transparent pixels") {
  PngSpec spec{2, 1, 8, 0, 0, test::png_chunk("tRNS", std::string("\0\x07", 2)), ""};
  const std::string png =
      test::make_png(spec, [](uint32_t x, uint32_t, int) { return x == 0 ? 7u : 9u; });
  CHECK(decoded(png).pixels == std::vector<uint8_t>{7, 7, 7, 0, 9, 9, 9, 255});
}

TEST_CASE("image data may be spread over many and empty chunks") {
  const PngSpec spec;
  const std::string rows = test::png_rows(
      spec, [&](uint32_t x, uint32_t y, int c) { return test::test_sample(spec, x, y, c); }, 0, 0,
      1, 1);
  std::string png = test::kPngSignature + test::png_header(spec);
  for (const char byte : test::deflated(rows)) {
    png += test::png_chunk("IDAT", std::string(1, byte)) + test::png_chunk("IDAT", "");
  }
  png += test::png_chunk("IEND", "");
  CHECK(decoded(png) == expected_image(spec, "", ""));
}

TEST_CASE("an image that compresses a thousandfold is read") {
  const Image image = make_image(1500, 1400, 3, 200);
  const std::string png = encoded(image);
  REQUIRE(png.size() < image.pixels.size() / 200);
  CHECK(decoded(png) == image);
}

TEST_CASE("bytes behind the last chunk are ignored") {
  const Image image = pattern(4, 4, 3);
  CHECK(decoded(encoded(image) + "trailing") == image);
}

TEST_CASE("Latin-1 text is converted and compressed text only named") {
  PngSpec spec;
  // 1 GiB of zeros as zTXt would take a second and a gigabyte to inflate.
  spec.before_data = test::png_chunk("tEXt", std::string("Title\0caf\xE9", 10)) +
                     test::png_chunk("zTXt", std::string("Bomb\0\0junk", 10)) +
                     test::png_chunk("iTXt", std::string("Packed\0\1\0\0\0junk", 15));
  spec.after_data = test::png_chunk("tEXt", std::string("Late\0after", 10));
  const std::string png = test::make_png(
      spec, [&](uint32_t x, uint32_t y, int c) { return test::test_sample(spec, x, y, c); });
  const PngInfo info = info_of(png);
  CHECK(info.text == TextChunks{{"Title", "caf\xC3\xA9"}, {"Late", "after"}});
  CHECK(info.compressed_text == std::vector<std::string>{"Bomb", "Packed"});
  CHECK(decoded(png) == expected_image(spec, "", ""));
}

TEST_CASE("a PNG describes itself in one line") {
  PngSpec spec{12, 34, 4, 3, 1, test::png_chunk("PLTE", std::string(48, 'p')), ""};
  const std::string png = test::make_png(
      spec, [&](uint32_t x, uint32_t y, int c) { return test::test_sample(spec, x, y, c); });
  CHECK_THAT(describe(info_of(png)),
             Contains("12 x 34 pixels, 4-bit palette, interlaced, ") && Contains(" bytes"));
}

TEST_CASE("a description is safe to print") {
  const test::TempDir dir;
  write_png(dir / "x.png", pattern(2, 2, 1), {{"ebb", "red \x1b[31m alert\nnext"}});
  const std::string text = describe_png(dir / "x.png");
  CHECK(text.find('\x1b') == std::string::npos);
  CHECK_THAT(text, Contains("2 x 2 pixels, 8-bit gray") && Contains("red \\x1b[31m alert"));
}

TEST_CASE("a file is written whole, and never over another without permission") {
  const test::TempDir dir;
  const Image first = pattern(4, 4, 1), second = pattern(5, 5, 3);
  write_png(dir / "x.png", first);
  CHECK_THROWS_AS(write_png(dir / "x.png", second), IoError);
  CHECK(read_png(dir / "x.png") == first);
  write_png(dir / "x.png", second, {}, Overwrite::kReplace);
  CHECK(read_png(dir / "x.png") == second);
  CHECK_THROWS_AS(write_png(dir / "none/x.png", first), IoError);
  CHECK_THROWS_AS(read_png(dir / "none.png"), IoError);
}

}  // namespace
}  // namespace ebb
