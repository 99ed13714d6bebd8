#include "image/jpeg.h"

#include <algorithm>
#include <cmath>
#include <random>

#include "base/error.h"
#include "image/exif.h"
#include "testing/catch.h"
#include "testing/errors.h"
#include "testing/temp_dir.h"
#include "tests/image/jpeg_builder.h"

namespace ebb {
namespace {

using Catch::Matchers::Contains;
using test::JpegSpec;
using test::make_jpeg;
using test::message_of;

// Slopes: what a JPEG keeps nearly exactly.
Image grads(int width, int height, int channels) {
  Image image = make_image(width, height, channels);
  for (size_t i = 0; i < image.pixels.size(); ++i) {
    const int c = static_cast<int>(i) % channels;
    const int x = static_cast<int>(i) / channels % width;
    const int y = static_cast<int>(i) / channels / width;
    image.pixels[i] = static_cast<uint8_t>((c == 1 ? 200 - 3 * x : 20 + 2 * x) + 2 * y);
  }
  return image;
}

Image decoded(const std::string& jpeg) {
  return decode_jpeg({reinterpret_cast<const uint8_t*>(jpeg.data()), jpeg.size()}, "x.jpg");
}

std::string refusal(const std::string& jpeg) {
  return message_of<FormatError>([&] { decoded(jpeg); });
}

int largest_difference(const Image& a, const Image& b) {
  if (a.width != b.width || a.height != b.height || a.channels != b.channels) return 256;
  int largest = 0;
  for (size_t i = 0; i < a.pixels.size(); ++i) {
    largest = std::max(largest, std::abs(a.pixels[i] - b.pixels[i]));
  }
  return largest;
}

TEST_CASE("gray and color, baseline and progressive JPEGs are read") {
  for (const int channels : {1, 3}) {
    for (const bool progressive : {false, true}) {
      for (const auto& [width, height] : {std::pair{1, 1}, {8, 8}, {17, 9}, {40, 33}}) {
        CAPTURE(channels, progressive, width, height);
        const Image image = grads(width, height, channels);
        const Image read =
            decoded(make_jpeg(image, JpegSpec{.quality = 100, .progressive = progressive}));
        // Two roundings: of coefficients (quantized by 1) and of colors to and from YCbCr.
        CHECK(largest_difference(read, image) <= 3);
      }
    }
  }
}

TEST_CASE("bytes behind the end of a JPEG do not matter") {
  const std::string jpeg = make_jpeg(grads(16, 16, 3));
  CHECK(decoded(jpeg + "and more") == decoded(jpeg));
}

// [height][width] pixel numbers as a text, rows separated by blanks.
std::string numbers(const Image& image) {
  std::string text;
  for (int y = 0; y < image.height; ++y) {
    for (int x = 0; x < image.width; ++x) {
      text += static_cast<char>('a' + image.pixels[static_cast<size_t>(y) * image.width + x]);
    }
    text += y + 1 < image.height ? " " : "";
  }
  return text;
}

TEST_CASE("each EXIF orientation is turned upright") {
  // Position of the stored image's first row and column (EXIF 2.32, 4.6.5 A): 1 top left, 2 top
  // right, 3 bottom right, 4 bottom left; 5 left top, 6 right top, 7 right bottom, 8 left bottom.
  const Image stored{3, 2, 1, {0, 1, 2, 3, 4, 5}};
  REQUIRE(numbers(stored) == "abc def");
  const char* expected[] = {"abc def",  "cba fed",  "fed cba",  "def abc",
                            "ad be cf", "da eb fc", "fc eb da", "cf be ad"};
  for (int orientation = 1; orientation <= 8; ++orientation) {
    CAPTURE(orientation);
    CHECK(numbers(turn_upright(stored, orientation)) == expected[orientation - 1]);
  }
}

TEST_CASE("a JPEG is turned as its EXIF block says, in either byte order") {
  const Image image = grads(24, 8, 3);
  const Image plain = decoded(make_jpeg(image));
  for (int orientation = 1; orientation <= 8; ++orientation) {
    for (const bool big_endian : {false, true}) {
      CAPTURE(orientation, big_endian);
      const std::string app1 = test::exif_block(orientation, big_endian);
      CHECK(decoded(make_jpeg(image, JpegSpec{.app1 = app1})) == turn_upright(plain, orientation));
    }
  }
}

TEST_CASE("a damaged EXIF block leaves the image as it is stored") {
  const std::string whole = test::exif_block(6, true).substr(6);
  const auto orientation = [](const std::string& tiff) {
    return exif_orientation({reinterpret_cast<const uint8_t*>(tiff.data()), tiff.size()});
  };
  CHECK(orientation(whole) == 6);
  const size_t end_of_entry = 8 + 2 + 2 * 12;
  for (size_t cut = 0; cut < end_of_entry; ++cut) CHECK(orientation(whole.substr(0, cut)) == 1);
  for (const int value : {0, 9, 255}) {
    CHECK(orientation(test::exif_block(value, false).substr(6)) == 1);
  }
  std::string far = whole;
  far.replace(4, 4, "\xFF\xFF\xFF\xF0");
  CHECK(orientation(far) == 1);
  std::mt19937 random(3);
  for (int round = 0; round < 20000; ++round) {
    std::string broken = whole;
    for (int i = 0; i < 3; ++i) broken[random() % broken.size()] = static_cast<char>(random());
    const int found = orientation(broken);
    REQUIRE((found >= 1 && found <= 8));
  }
}

TEST_CASE("a JPEG that is cut anywhere before the end of its image is refused") {
  for (const bool progressive : {false, true}) {
    const std::string jpeg = make_jpeg(grads(20, 20, 3), JpegSpec{.progressive = progressive});
    CHECK(refusal(jpeg) == "(nothing was thrown)");
    const size_t end = progressive ? jpeg.size() : jpeg.size() - 2;  // the end marker
    if (!progressive) CHECK(decoded(jpeg.substr(0, end)) == decoded(jpeg));
    for (size_t cut = 0; cut < end; ++cut) {
      const std::string message = refusal(jpeg.substr(0, cut));
      INFO("cut to " << cut << " of " << jpeg.size() << ": " << message);
      CHECK(message.starts_with("x.jpg: "));
    }
  }
}

TEST_CASE("what libjpeg warns about and decodes without loss is read") {
  const std::string jpeg = make_jpeg(grads(20, 20, 3));
  const Image clean = decoded(jpeg);
  // The spectral selection that some phones write into the scan header.
  std::string phone = jpeg;
  const size_t scan = test::behind_marker(jpeg, 0xDA);
  const size_t header = static_cast<size_t>(static_cast<uint8_t>(jpeg[scan + 1]));
  phone.replace(scan + header - 3, 3, std::string(3, '\0'));
  REQUIRE(phone != jpeg);
  CHECK(decoded(phone) == clean);
  // Bytes before a marker of the header, as webcams write them.
  std::string webcam = jpeg;
  webcam.insert(test::behind_marker(jpeg, 0xDB) - 2, std::string("\x12\0\0", 3));
  CHECK(decoded(webcam) == clean);
  // A major version of JFIF that is not 1.
  std::string jfif = jpeg;
  const size_t version = jpeg.find("JFIF") + 5;
  jfif[version] = 2;
  CHECK(decoded(jfif) == clean);
  // Padding before the end marker: a word of anything, a buffer of one byte.
  const size_t end = jpeg.size() - 2;
  CHECK(decoded(jpeg.substr(0, end) + "abcd" + jpeg.substr(end)) == clean);
  CHECK(decoded(jpeg.substr(0, end) + std::string(3000, '\0') + jpeg.substr(end)) == clean);
}

TEST_CASE("a scan that is corrupt is refused") {
  const std::string jpeg = make_jpeg(grads(64, 64, 3));
  const size_t end = jpeg.size() - 2, scan = test::behind_marker(jpeg, 0xDA) + 12;
  // Coded data is left over when all blocks are there.
  CHECK_THAT(refusal(jpeg.substr(0, end) + jpeg.substr(scan, 60) + jpeg.substr(end)),
             Contains("extraneous"));
  // The second half of the scan is missing, the end marker is there.
  CHECK_THAT(refusal(jpeg.substr(0, (scan + end) / 2) + jpeg.substr(end)),
             Contains("premature end of data"));
}

TEST_CASE("no damaged byte of a JPEG does more than change the image or be refused") {
  std::mt19937 random(5);
  for (const bool progressive : {false, true}) {
    const std::string jpeg = make_jpeg(grads(20, 20, 3), JpegSpec{.progressive = progressive});
    for (size_t i = 2; i < jpeg.size(); ++i) {
      std::string broken = jpeg;
      broken[i] = static_cast<char>(random());
      try {
        const Image image = decoded(broken);
        CHECK(image.pixels.size() ==
              static_cast<size_t>(image.width) * image.height * image.channels);
      } catch (const FormatError& error) {
        CHECK(std::string(error.what()).starts_with("x.jpg: "));
      }
    }
  }
}

TEST_CASE("sizes that are too large, empty or larger than the data are refused before decoding") {
  const std::string jpeg = make_jpeg(grads(8, 8, 1));
  const auto sized = [&](const char* size) {
    return refusal(test::with_size(jpeg, 0xC0, std::string(size, 4)));
  };
  CHECK_THAT(sized("\xFF\xFF\xFF\xFF"), Contains("65535 x 65535") && Contains("Scale"));
  CHECK_THAT(sized("\x00\x08\x40\x01"), Contains("16385 x 8"));
  CHECK_THAT(sized("\x3F\xFF\x3F\xFF"), Contains("16383 x 16383"));
  CHECK_THAT(sized("\x1F\x40\x1F\x40"), Contains("8000 x 8000 pixels need at least 125000 bytes"));
  CHECK(sized("\x00\x00\x00\x08").starts_with("x.jpg: "));
  CHECK(sized("\x00\x08\x00\x00").starts_with("x.jpg: "));
}

TEST_CASE("kinds of JPEG that ebb does not read are named") {
  Image cmyk = grads(8, 8, 1);
  cmyk.channels = 4;
  cmyk.pixels.resize(8 * 8 * 4, 100);
  CHECK_THAT(refusal(make_jpeg(cmyk)), Contains("CMYK"));
  const Image gray = grads(8, 8, 1);
  CHECK_THAT(refusal(make_jpeg(gray, JpegSpec{.arithmetic = true})), Contains("arithmetic"));
  std::string jpeg = make_jpeg(gray);
  const size_t frame = test::behind_marker(jpeg, 0xC0);
  std::string lossless = jpeg;
  lossless[frame - 1] = '\xC3';
  CHECK_THAT(refusal(lossless), Contains("lossless"));
  jpeg[frame + 2] = 12;
  CHECK_THAT(refusal(jpeg), Contains("12-bit"));
}

TEST_CASE("a JPEG with a Huffman table of too many codes is refused") {
  const std::string jpeg = make_jpeg(grads(8, 8, 1));
  const std::string table =
      std::string("\xFF\xC4\x10\x03\x00", 5) + std::string(16, '\xFF') + std::string(4080, '\0');
  CHECK(refusal(jpeg.substr(0, 2) + table + jpeg.substr(2)).starts_with("x.jpg: "));
}

TEST_CASE("a JPEG with more scans than any encoder writes is refused") {
  const JpegSpec spec{.many_scans = true};
  CHECK_THAT(refusal(make_jpeg(grads(8, 8, 1), spec)), Contains("more than 100 scans"));
}

TEST_CASE("a JPEG says what it is") {
  const test::TempDir dir;
  const std::string jpeg = make_jpeg(
      grads(40, 30, 3), JpegSpec{.progressive = true, .app1 = test::exif_block(6, false)});
  test::put_file(dir / "x.jpg", jpeg);
  CHECK(describe(read_jpeg_info(dir / "x.jpg")) ==
        cat("JPEG image, 40 x 30 pixels, 8-bit color, progressive, EXIF orientation 6, ",
            jpeg.size(), " bytes"));
  CHECK(read_jpeg(dir / "x.jpg").width == 30);
  CHECK_THROWS_AS(read_jpeg(dir / "none.jpg"), IoError);
}

}  // namespace
}  // namespace ebb
