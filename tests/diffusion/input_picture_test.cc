#include "diffusion/program/input_picture.h"

#include "base/error.h"
#include "diffusion/picture/convert.h"
#include "diffusion/picture/png.h"
#include "nn/network.h"
#include "tests/diffusion/jpeg_builder.h"
#include "tests/support/catch.h"
#include "tests/support/errors.h"
#include "tests/support/temp_dir.h"
#include "weights/digest.h"

namespace ebb {
namespace {

using Catch::Matchers::Contains;
using test::message_of;

constexpr PictureFormat kDigits{.width = 28, .height = 28, .channels = 1, .light_on_dark = true};
constexpr PictureFormat kPhotos{
    .width = 64, .height = 64, .channels = 3, .range = PixelRange::kMinusOneToOne};

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

class Folder {
 public:
  std::string put_png(const Image& image) {
    write_png(dir_ / "x.png", image, {}, Overwrite::kReplace);
    return dir_ / "x.png";
  }
  std::string put(const std::string& name, const std::string& content) {
    test::put_file(dir_ / name, content);
    return dir_ / name;
  }
  InputPicture read(const Image& image, const PictureFormat& format, Invert invert = Invert::kAuto,
                    Fit fit = Fit::kStretch) {
    return read_input_picture("-i", put_png(image), format, {invert, fit});
  }
  // Corner and middle of a drawing.
  std::pair<int, int> tones(const Image& image, Invert invert, const PictureFormat& format) {
    const InputPicture picture = read(image, format, invert);
    const size_t middle = static_cast<size_t>(format.height / 2) * format.width + format.width / 2;
    return {picture.image.pixels[0], picture.image.pixels[middle * format.channels]};
  }
  const test::TempDir& dir() const { return dir_; }

 private:
  test::TempDir dir_;
};

using Tones = std::pair<int, int>;

TEST_CASE("dark drawings on light are inverted for models of light drawings on dark") {
  Folder folder;
  CHECK(folder.tones(drawing(0, 255), Invert::kAuto, kDigits) == Tones{0, 255});
  CHECK(folder.tones(drawing(255, 0), Invert::kAuto, kDigits) == Tones{0, 255});
  CHECK(folder.tones(drawing(0, 255), Invert::kNo, kDigits) == Tones{255, 0});
  CHECK(folder.tones(drawing(255, 0), Invert::kYes, kDigits) == Tones{255, 0});
  CHECK(folder.read(drawing(0, 255), kDigits).inverted);
  CHECK_FALSE(folder.read(drawing(255, 0), kDigits).inverted);
}

TEST_CASE("other models see the picture as it is, or inverted when asked for") {
  Folder folder;
  CHECK(folder.tones(drawing(0, 255), Invert::kAuto, kPhotos) == Tones{255, 0});
  CHECK(folder.tones(drawing(0, 255), Invert::kYes, kPhotos) == Tones{0, 255});
}

TEST_CASE("strokes on a transparent background stand out from it") {
  Folder folder;
  for (const uint8_t strokes : {0, 255}) {
    CAPTURE(int{strokes});
    const Image image = drawing(strokes, /*background=*/128, /*background_alpha=*/0);
    CHECK(folder.tones(image, Invert::kAuto, kDigits) == Tones{0, 255});
    CHECK(folder.tones(image, Invert::kNo, kDigits) == Tones{0, strokes});
    CHECK(folder.tones(image, Invert::kYes, kDigits) == Tones{0, 255 - strokes});
    CHECK(folder.tones(image, Invert::kAuto, kPhotos) == Tones{255, strokes});
  }
}

TEST_CASE("colour becomes grey and grey becomes colour before the size changes") {
  Folder folder;
  Image color = make_image(2, 1, 3);
  color.pixels = {255, 0, 0, 0, 0, 255};
  const InputPicture grey =
      folder.read(color, {.width = 2, .height = 1, .channels = 1, .light_on_dark = true});
  CHECK(grey.image.pixels == std::vector<uint8_t>{76, 29});
  const InputPicture back = folder.read(grey.image, {.width = 2, .height = 1, .channels = 3});
  CHECK(back.image.pixels == std::vector<uint8_t>{76, 76, 76, 29, 29, 29});
}

TEST_CASE("a picture of any size becomes the model's, stretched or cropped") {
  Folder folder;
  Image wide = make_image(60, 20, 1);
  for (int i = 0; i < 60 * 20; ++i) wide.pixels[i] = i % 60 < 20 ? 255 : 0;  // the left third
  const PictureFormat format{.width = 30, .height = 30, .channels = 1};
  const Image stretched = folder.read(wide, format).image;
  CHECK((stretched.width == 30 && stretched.height == 30));
  CHECK((stretched.pixels[3] > 250 && stretched.pixels[15] < 5));
  const Image cropped = folder.read(wide, format, Invert::kAuto, Fit::kCrop).image;
  CHECK((cropped.width == 30 && cropped.height == 30));
  CHECK(cropped.pixels[3] < 5);
}

TEST_CASE("values are in the model's range") {
  Folder folder;
  const InputPicture picture = folder.read(make_image(64, 64, 3, 255), kPhotos);
  CHECK(picture.values(kPhotos) == std::vector<float>(64 * 64 * 3, 1.0f));
  CHECK(folder.read(make_image(64, 64, 3, 0), kPhotos).values(kPhotos)[5] == -1.0f);
}

TEST_CASE("a file is what its content says, whatever its name") {
  Folder folder;
  const std::string jpeg = test::make_jpeg(make_image(28, 28, 1, 90));
  const std::string path = folder.put("photo.png", jpeg);
  const InputPicture picture = read_input_picture("-i", path, kDigits, {});
  CHECK(picture.image == make_image(28, 28, 1, 90));
  CHECK(picture.file == InputFile{path, sha256_hex(jpeg.data(), jpeg.size())});
  const auto refusal = [&](const std::string& content) {
    const std::string file = folder.put("photo.jpg", content);
    return message_of<FormatError>([&] { read_input_picture("-i", file, kDigits, {}); });
  };
  CHECK_THAT(refusal("GIF89a......"), Contains("a GIF picture") && Contains("expected a PNG"));
  CHECK_THAT(refusal("hello"), Contains("unknown kind"));
  CHECK_THAT(refusal(""), Contains("empty"));
  CHECK_THROWS_AS(read_input_picture("-i", folder.dir() / "none", kDigits, {}), IoError);
}

// Two pictures: all 40, all 50.
std::string idx_file() {
  return std::string("\0\0\x08\x03\0\0\0\x02\0\0\0\x1C\0\0\0\x1C", 16) + std::string(784, 40) +
         std::string(784, 50);
}

TEST_CASE("a picture of an IDX file is named by its index") {
  Folder folder;
  const std::string path = folder.put("digits", idx_file());
  const InputPicture picture = read_input_picture("-i", path + "#1", kDigits, {});
  CHECK(picture.image == make_image(28, 28, 1, 50));
  CHECK(picture.file.path == path);
  CHECK(picture.file.sha256 == sha256_hex(idx_file().data(), idx_file().size()));
  const auto refusal = [&](const std::string& name) {
    return message_of<UsageError>([&] { read_input_picture("-i", name, kDigits, {}); });
  };
  CHECK_THAT(refusal(path + "#2"), Contains("0..1") && Contains("digits#2"));
  CHECK_THAT(refusal(path + "#99999999999999999999"), Contains("0..1"));
  CHECK_THAT(refusal(path), Contains("Say which") && Contains("#0"));
  CHECK_THAT(refusal(folder.put_png(make_image(2, 2, 1)) + "#0"), Contains("a PNG picture"));
  // A file may have such a name.
  write_png(folder.dir() / "a#1", make_image(28, 28, 1, 9));
  CHECK(read_input_picture("-i", folder.dir() / "a#1", kDigits, {}).image.pixels[0] == 9);
}

TEST_CASE("the format of the MNIST networks is grey, light on dark, from 0 to 1") {
  const Network network =
      make_network(R"({"name":"mnist_unet","conditioning":"none","hidden":4})", "test");
  const PictureFormat format = picture_format(network);
  CHECK((format.width == 28 && format.height == 28 && format.channels == 1));
  CHECK((format.light_on_dark && format.range == PixelRange::kZeroToOne));
}

std::string shown(const Mask& mask, int width) {
  std::string text;
  for (size_t i = 0; i < mask.make_new.size(); ++i) {
    text += mask.make_new[i] == 1 ? '#' : mask.make_new[i] == 0 ? '.' : '?';
    if ((i + 1) % width == 0 && i + 1 < mask.make_new.size()) text += ' ';
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
  Folder folder;
  Image picture = make_image(2, 2, 4);
  picture.pixels = {255, 255, 255, 255, 0, 0, 0, 255, 255, 255, 255, 0, 127, 127, 127, 255};
  const Mask mask = read_mask("--mask", folder.put_png(picture), 4, 4);
  CHECK(shown(mask, 4) == "##.. ##.. .... ....");
  REQUIRE(mask.file);
  CHECK(mask.file->path == folder.dir() / "x.png");
  const std::string black = folder.put_png(make_image(4, 4, 1, 0));
  CHECK_THAT(message_of<UsageError>([&] { read_mask("--mask", black, 4, 4); }),
             Contains("--mask ") && Contains("no pixel"));
}

}  // namespace
}  // namespace ebb
