#include "apps/cli/input_image.h"

#include "base/error.h"
#include "image/convert.h"
#include "image/gif.h"
#include "image/png.h"
#include "image/webp.h"
#include "nn/network.h"
#include "testing/catch.h"
#include "testing/errors.h"
#include "testing/temp_dir.h"
#include "tests/image/jpeg_builder.h"
#include "weights/digest.h"

namespace ebb {
namespace {

using Catch::Matchers::Contains;
using test::message_of;

constexpr ImageFormat kDigits{.width = 28, .height = 28, .channels = 1, .light_on_dark = true};
constexpr ImageFormat kPhotos{
    .width = 64, .height = 64, .channels = 3, .range = DataRange::kMinusOneToOne};

// A block of strokes in the middle of a background; RGBA.
Image drawing(uint8_t strokes, uint8_t background, uint8_t background_alpha = 255) {
  Image image = make_image(28, 28, 4);
  for (int i = 0; i < 28 * 28; ++i) {
    const bool inside = i % 28 >= 10 && i % 28 < 18 && i / 28 >= 10 && i / 28 < 18;
    const uint8_t level = inside ? strokes : background;
    const std::array<uint8_t, 4> pixel = {level, level, level,
                                          inside ? uint8_t{255} : background_alpha};
    std::copy(pixel.begin(), pixel.end(), image.pixels.begin() + 4 * i);
  }
  return image;
}

class Directory {
 public:
  std::string put_png(const Image& image) {
    write_png(dir_ / "x.png", image, {}, Overwrite::kReplace);
    return dir_ / "x.png";
  }
  std::string put(const std::string& name, const std::string& content) {
    test::put_file(dir_ / name, content);
    return dir_ / name;
  }
  InputImage read(const Image& image, const ImageFormat& format, Invert invert = Invert::kAuto,
                  Fit fit = Fit::kStretch) {
    return read_input_image("-i", put_png(image), format, {invert, fit});
  }
  // Corner and middle of a drawing.
  std::pair<int, int> tones(const Image& image, Invert invert, const ImageFormat& format) {
    const InputImage input = read(image, format, invert);
    const size_t middle = static_cast<size_t>(format.height / 2) * format.width + format.width / 2;
    return {input.image.pixels[0], input.image.pixels[middle * format.channels]};
  }
  const test::TempDir& dir() const { return dir_; }

 private:
  test::TempDir dir_;
};

using Tones = std::pair<int, int>;

TEST_CASE("dark drawings on light are inverted for models of light drawings on dark") {
  Directory directory;
  CHECK(directory.tones(drawing(0, 255), Invert::kAuto, kDigits) == Tones{0, 255});
  CHECK(directory.tones(drawing(255, 0), Invert::kAuto, kDigits) == Tones{0, 255});
  CHECK(directory.tones(drawing(0, 255), Invert::kNo, kDigits) == Tones{255, 0});
  CHECK(directory.tones(drawing(255, 0), Invert::kYes, kDigits) == Tones{255, 0});
  CHECK(directory.read(drawing(0, 255), kDigits).inverted);
  CHECK_FALSE(directory.read(drawing(255, 0), kDigits).inverted);
}

TEST_CASE("auto inversion goes by what stands out from the paper, however light that is") {
  Directory directory;
  // Paper in poor light and in good light, ink and chalk.
  for (const int paper : {60, 110, 128, 150, 230}) {
    CAPTURE(paper);
    const auto ink = static_cast<uint8_t>(paper - 45), chalk = static_cast<uint8_t>(paper + 25);
    CHECK(directory.read(drawing(ink, static_cast<uint8_t>(paper)), kDigits).inverted);
    CHECK_FALSE(directory.read(drawing(chalk, static_cast<uint8_t>(paper)), kDigits).inverted);
  }
  // Without contrast the level of the paper decides, as it has to.
  CHECK(directory.read(drawing(200, 201), kDigits).inverted);
  CHECK_FALSE(directory.read(drawing(50, 49), kDigits).inverted);
}

TEST_CASE(
    "a thin stroke, noise and a stroke that runs off the paper do not mislead auto inversion") {
  Directory directory;
  Image thin = make_image(1000, 1000, 1, 140);
  for (int y = 200; y < 800; ++y) {
    for (int x = 490; x < 502; ++x) thin.pixels[static_cast<size_t>(y) * 1000 + x] = 30;
  }
  for (size_t i = 0; i < thin.pixels.size(); ++i) {
    thin.pixels[i] = static_cast<uint8_t>(thin.pixels[i] + i * 7919 % 13);
  }
  CHECK(directory.read(thin, kDigits).inverted);
  Image off = make_image(28, 28, 1, 90);
  for (int y = 0; y < 28; ++y) {
    for (int x = 10; x < 16; ++x) off.pixels[static_cast<size_t>(y) * 28 + x] = 20;
  }
  CHECK(directory.read(off, kDigits).inverted);
  CHECK_FALSE(directory.read(invert(off), kDigits).inverted);
}

TEST_CASE("every kind of image is read by its content") {
  Directory directory;
  const Image digit = drawing(255, 0);
  const std::vector<uint8_t> levels = to_gray(digit).pixels;
  std::string pgm = "P5 28 28 255\n";
  pgm.append(levels.begin(), levels.end());
  const InputOptions keep{Invert::kNo, Fit::kStretch};
  const auto read = [&](const std::string& content) {
    return read_input_image("-i", directory.put("x.jpg", content), kDigits, keep).image.pixels;
  };
  CHECK(read(pgm) == levels);
  const Image frame{28, 28, 1, levels};
  const auto text = [](const std::vector<uint8_t>& bytes) {
    return std::string(bytes.begin(), bytes.end());
  };
  CHECK(read(text(encode_gif({&frame, 1}, {}))) == levels);
  CHECK(read(text(encode_webp({&frame, 1}, {}))) == levels);
  std::string tga("\0\0\3\0\0\0\0\0\0\0\0\0\x1c\0\x1c\0\x08\x20", 18);
  tga.append(levels.begin(), levels.end());
  CHECK(read(tga) == levels);
}

TEST_CASE("images that ebb does not read are named with how to convert them") {
  Directory directory;
  const auto refusal = [&](const std::string& content) {
    return message_of<FormatError>(
        [&] { read_input_image("-i", directory.put("x.png", content), kDigits, {}); });
  };
  CHECK_THAT(refusal(std::string("\0\0\0\x18", 4) + "ftypheic"), Contains("heif-convert"));
  CHECK_THAT(refusal("<svg width='1'/>"), Contains("an SVG drawing") && Contains("rsvg-convert"));
  CHECK_THAT(refusal(std::string("II*\0\x08\0\0\0", 8)), Contains("a TIFF image"));
}

TEST_CASE("other models see the image as it is, or inverted when asked for") {
  Directory directory;
  CHECK(directory.tones(drawing(0, 255), Invert::kAuto, kPhotos) == Tones{255, 0});
  CHECK(directory.tones(drawing(0, 255), Invert::kYes, kPhotos) == Tones{0, 255});
}

TEST_CASE("strokes on a transparent background stand out from it") {
  Directory directory;
  for (const uint8_t strokes : {0, 255}) {
    CAPTURE(int{strokes});
    const Image image = drawing(strokes, /*background=*/128, /*background_alpha=*/0);
    CHECK(directory.tones(image, Invert::kAuto, kDigits) == Tones{0, 255});
    CHECK(directory.tones(image, Invert::kNo, kDigits) == Tones{0, strokes});
    CHECK(directory.tones(image, Invert::kYes, kDigits) == Tones{0, 255 - strokes});
    CHECK(directory.tones(image, Invert::kAuto, kPhotos) == Tones{255, strokes});
  }
}

TEST_CASE("color becomes gray and gray becomes color before the size changes") {
  Directory directory;
  Image color = make_image(2, 1, 3);
  color.pixels = {255, 0, 0, 0, 0, 255};
  const InputImage gray =
      directory.read(color, {.width = 2, .height = 1, .channels = 1, .light_on_dark = true});
  CHECK(gray.image.pixels == std::vector<uint8_t>{76, 29});
  const InputImage back = directory.read(gray.image, {.width = 2, .height = 1, .channels = 3});
  CHECK(back.image.pixels == std::vector<uint8_t>{76, 76, 76, 29, 29, 29});
}

TEST_CASE("an image of any size becomes the model's, stretched or cropped") {
  Directory directory;
  Image wide = make_image(60, 20, 1);
  for (int i = 0; i < 60 * 20; ++i) wide.pixels[i] = i % 60 < 20 ? 255 : 0;  // the left third
  const ImageFormat format{.width = 30, .height = 30, .channels = 1};
  const Image stretched = directory.read(wide, format).image;
  CHECK((stretched.width == 30 && stretched.height == 30));
  CHECK((stretched.pixels[3] > 250 && stretched.pixels[15] < 5));
  const Image cropped = directory.read(wide, format, Invert::kAuto, Fit::kCrop).image;
  CHECK((cropped.width == 30 && cropped.height == 30));
  CHECK(cropped.pixels[3] < 5);
}

TEST_CASE("values are in the model's range") {
  Directory directory;
  const InputImage image = directory.read(make_image(64, 64, 3, 255), kPhotos);
  CHECK(image.values(kPhotos) == std::vector<float>(64 * 64 * 3, 1.0f));
  CHECK(directory.read(make_image(64, 64, 3, 0), kPhotos).values(kPhotos)[5] == -1.0f);
}

TEST_CASE("a file is what its content says, whatever its name") {
  Directory directory;
  const std::string jpeg = test::make_jpeg(make_image(28, 28, 1, 90));
  const std::string path = directory.put("photo.png", jpeg);
  const InputImage image = read_input_image("-i", path, kDigits, {});
  CHECK(image.image == make_image(28, 28, 1, 90));
  CHECK(image.file == InputFile{path, sha256_hex(jpeg.data(), jpeg.size())});
  const auto refusal = [&](const std::string& content) {
    const std::string file = directory.put("photo.jpg", content);
    return message_of<FormatError>([&] { read_input_image("-i", file, kDigits, {}); });
  };
  CHECK_THAT(refusal("GIF89a......"), Contains("a GIF image") && Contains("damaged"));
  CHECK_THAT(refusal("hello"), Contains("unknown kind"));
  CHECK_THAT(refusal(""), Contains("empty"));
  CHECK_THROWS_AS(read_input_image("-i", directory.dir() / "none", kDigits, {}), IoError);
}

// Two images: all 40, all 50.
std::string idx_file() {
  return std::string("\0\0\x08\x03\0\0\0\x02\0\0\0\x1C\0\0\0\x1C", 16) + std::string(784, 40) +
         std::string(784, 50);
}

TEST_CASE("an image of an IDX file is named by its index") {
  Directory directory;
  const std::string path = directory.put("digits", idx_file());
  const InputImage image = read_input_image("-i", path + "#1", kDigits, {});
  CHECK(image.image == make_image(28, 28, 1, 50));
  CHECK(image.file.path == path);
  CHECK(image.file.sha256 == sha256_hex(idx_file().data(), idx_file().size()));
  const auto refusal = [&](const std::string& name) {
    return message_of<UsageError>([&] { read_input_image("-i", name, kDigits, {}); });
  };
  CHECK_THAT(refusal(path + "#2"), Contains("0..1") && Contains("digits#2"));
  CHECK_THAT(refusal(path + "#99999999999999999999"), Contains("0..1"));
  CHECK_THAT(refusal(path), Contains("Choose one") && Contains("#0"));
  CHECK_THAT(refusal(directory.put_png(make_image(2, 2, 1)) + "#0"), Contains("a PNG image"));
  // A file may have such a name.
  write_png(directory.dir() / "a#1", make_image(28, 28, 1, 9));
  CHECK(read_input_image("-i", directory.dir() / "a#1", kDigits, {}).image.pixels[0] == 9);
}

TEST_CASE("the format of the MNIST networks is gray, light on dark, from 0 to 1") {
  const Network network =
      make_network(R"({"name":"mnist_unet","conditioning":"none","hidden":4})", "test");
  const ImageFormat format = image_format(network);
  CHECK((format.width == 28 && format.height == 28 && format.channels == 1));
  CHECK((format.light_on_dark && format.range == DataRange::kZeroToOne));
}

std::string shown(const Mask& mask, int width) {
  std::string text;
  for (size_t i = 0; i < mask.inpaint.size(); ++i) {
    text += mask.inpaint[i] == 1 ? '#' : mask.inpaint[i] == 0 ? '.' : '?';
    if ((i + 1) % width == 0 && i + 1 < mask.inpaint.size()) text += ' ';
  }
  return text;
}

TEST_CASE("masks with a name cover a half or the middle") {
  const auto mask = [](const char* name) { return shown(read_mask("--mask", name, 4, 4), 4); };
  CHECK(mask("left") == "##.. ##.. ##.. ##..");
  CHECK(mask("right") == "..## ..## ..## ..##");
  CHECK(mask("top") == "#### #### .... ....");
  CHECK(mask("bottom") == ".... .... #### ####");
  CHECK(mask("center") == ".... .##. .##. ....");
  CHECK(shown(read_mask("--mask", "left", 5, 1), 5) == "##...");
  CHECK(shown(read_mask("--mask", "right", 5, 1), 5) == "...##");
  CHECK_FALSE(read_mask("--mask", "left", 4, 4).file);
}

TEST_CASE("white pixels of a mask are made new, black and transparent ones are kept") {
  Directory directory;
  Image image = make_image(2, 2, 4);
  image.pixels = {255, 255, 255, 255, 0, 0, 0, 255, 255, 255, 255, 0, 127, 127, 127, 255};
  const Mask mask = read_mask("--mask", directory.put_png(image), 4, 4);
  CHECK(shown(mask, 4) == "##.. ##.. .... ....");
  REQUIRE(mask.file);
  CHECK(mask.file->path == directory.dir() / "x.png");
  const std::string black = directory.put_png(make_image(4, 4, 1, 0));
  CHECK_THAT(message_of<UsageError>([&] { read_mask("--mask", black, 4, 4); }),
             Contains("--mask ") && Contains("no pixel"));
}

}  // namespace
}  // namespace ebb
