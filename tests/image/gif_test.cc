#include "image/gif.h"

#include <gif_lib.h>

#include <cstring>
#include <memory>
#include <numeric>

#include "base/error.h"
#include "testing/catch.h"
#include "testing/temp_dir.h"

namespace ebb {
namespace {

struct DecodedGif {
  int width = 0, height = 0;
  bool endless = false;
  std::vector<Image> frames;  // RGB
  std::vector<int> delays_ms;
};

// Reads with giflib's own decoder.
DecodedGif decode(const std::vector<uint8_t>& bytes) {
  struct Source {
    const std::vector<uint8_t>& bytes;
    size_t position;
  } source{bytes, 0};
  const auto read = [](GifFileType* gif, GifByteType* target, int count) {
    auto* from = static_cast<Source*>(gif->UserData);
    const size_t left = from->bytes.size() - from->position;
    const size_t taken = std::min(left, static_cast<size_t>(count));
    std::memcpy(target, from->bytes.data() + from->position, taken);
    from->position += taken;
    return static_cast<int>(taken);
  };
  int error = 0;
  const std::unique_ptr<GifFileType, void (*)(GifFileType*)> gif(
      DGifOpen(&source, read, &error), [](GifFileType* file) { DGifCloseFile(file, nullptr); });
  REQUIRE(gif != nullptr);
  REQUIRE(DGifSlurp(gif.get()) == GIF_OK);
  CHECK(source.position == bytes.size());

  DecodedGif result{gif->SWidth, gif->SHeight, false, {}, {}};
  for (int i = 0; i < gif->ImageCount; ++i) {
    const SavedImage& saved = gif->SavedImages[i];
    for (int e = 0; e + 1 < saved.ExtensionBlockCount; ++e) {
      const ExtensionBlock& name = saved.ExtensionBlocks[e];
      const ExtensionBlock& loops = saved.ExtensionBlocks[e + 1];
      if (name.Function != APPLICATION_EXT_FUNC_CODE) continue;
      result.endless = std::memcmp(name.Bytes, "NETSCAPE2.0", 11) == 0 && loops.ByteCount == 3 &&
                       loops.Bytes[0] == 1 && loops.Bytes[1] == 0 && loops.Bytes[2] == 0;
    }
    GraphicsControlBlock control;
    REQUIRE(DGifSavedExtensionToGCB(gif.get(), i, &control) == GIF_OK);
    result.delays_ms.push_back(control.DelayTime * 10);
    Image frame = make_image(saved.ImageDesc.Width, saved.ImageDesc.Height, 3);
    for (size_t p = 0; p < frame.pixels.size() / 3; ++p) {
      const GifColorType& color = saved.ImageDesc.ColorMap->Colors[saved.RasterBits[p]];
      frame.pixels[3 * p] = color.Red;
      frame.pixels[3 * p + 1] = color.Green;
      frame.pixels[3 * p + 2] = color.Blue;
    }
    result.frames.push_back(std::move(frame));
  }
  return result;
}

GifInfo info_of(const std::string& path) {
  const std::string gif = test::get_file(path);
  return read_gif_info({reinterpret_cast<const uint8_t*>(gif.data()), gif.size()}, "x.gif");
}

Image gray_ramp(uint8_t start) {
  Image image = make_image(16, 16, 1);
  std::iota(image.pixels.begin(), image.pixels.end(), start);
  return image;
}

TEST_CASE("gray frames come back exactly, in order, with their delays") {
  const std::vector<Image> frames = {gray_ramp(0), gray_ramp(100), gray_ramp(200)};
  const DecodedGif gif = decode(encode_gif(frames, {80, 1500}));
  CHECK(gif.width == 16);
  CHECK(gif.height == 16);
  CHECK(gif.endless);
  CHECK(gif.delays_ms == std::vector<int>{80, 80, 1500});
  REQUIRE(gif.frames.size() == 3);
  for (size_t i = 0; i < frames.size(); ++i) CHECK(gif.frames[i] == to_rgb(frames[i]));
}

TEST_CASE("color frames of up to 256 colors come back exactly") {
  Image image = make_image(32, 16, 3);
  for (size_t i = 0; i < image.pixels.size() / 3; ++i) {
    const auto k = static_cast<uint8_t>(i % 256);
    image.pixels[3 * i] = k;
    image.pixels[3 * i + 1] = static_cast<uint8_t>(k * 7);
    image.pixels[3 * i + 2] = static_cast<uint8_t>(255 - k);
  }
  const DecodedGif gif = decode(encode_gif({&image, 1}, {}));
  REQUIRE(gif.frames.size() == 1);
  CHECK(gif.frames[0] == image);
}

TEST_CASE("frames of more colors stay close") {
  Image image = make_image(64, 64, 3);
  for (int y = 0; y < 64; ++y) {
    for (int x = 0; x < 64; ++x) {
      uint8_t* pixel = image.pixels.data() + (y * 64 + x) * 3;
      pixel[0] = static_cast<uint8_t>(x * 4);
      pixel[1] = static_cast<uint8_t>(y * 4);
      pixel[2] = 128;
    }
  }
  const DecodedGif gif = decode(encode_gif({&image, 1}, {}));
  REQUIRE(gif.frames.size() == 1);
  double error = 0;
  for (size_t i = 0; i < image.pixels.size(); ++i) {
    error += std::abs(int{image.pixels[i]} - int{gif.frames[0].pixels[i]});
  }
  // 256 boxes over a 256 x 256 plane are 16 x 16: 4 levels off on average in two of three channels.
  CHECK(error / static_cast<double>(image.pixels.size()) < 6);
}

TEST_CASE("transparent pixels become white") {
  const Image image{2, 1, 4, {9, 9, 9, 0, 9, 9, 9, 255}};
  CHECK(decode(encode_gif({&image, 1}, {})).frames[0].pixels ==
        std::vector<uint8_t>{255, 255, 255, 9, 9, 9});
}

TEST_CASE("delays are rounded to 10 ms and never below 20 ms") {
  const std::vector<Image> frames = {gray_ramp(0), gray_ramp(1)};
  CHECK(decode(encode_gif(frames, {1, 46})).delays_ms == std::vector<int>{20, 50});
}

TEST_CASE("no frames and frames of different sizes are errors") {
  CHECK_THROWS_AS(encode_gif({}, {}), ShapeError);
  const std::vector<Image> frames = {gray_ramp(0), make_image(4, 4, 1)};
  CHECK_THROWS_WITH(encode_gif(frames, {}), Catch::Matchers::Contains("frame 1 is 4 x 4"));
}

TEST_CASE("an animation is written whole and never over another file") {
  const test::TempDir dir;
  const Image image = gray_ramp(3);
  write_gif(dir / "a.gif", {&image, 1});
  const std::vector<uint8_t> bytes = encode_gif({&image, 1}, {});
  CHECK(test::get_file(dir / "a.gif") == std::string(bytes.begin(), bytes.end()));
  CHECK_THROWS_AS(write_gif(dir / "a.gif", {&image, 1}), IoError);
}

TEST_CASE("a comment of any length stands in the animation and does not change it") {
  const test::TempDir dir;
  const std::vector<Image> frames = {make_image(9, 5, 1, 10), make_image(9, 5, 3, 200)};
  for (const size_t length : {1, 255, 256, 3000}) {
    CAPTURE(length);
    const std::string comment(length, 'c');
    write_gif(dir / "x.gif", frames, {}, Overwrite::kReplace, comment);
    const GifInfo info = info_of(dir / "x.gif");
    CHECK(info.comments == std::vector<std::string>{comment});
    CHECK((info.width == 9 && info.height == 5 && info.frames == 2));
    CHECK(decode(encode_gif(frames, {}, comment)).frames == decode(encode_gif(frames, {})).frames);
  }
  write_gif(dir / "x.gif", frames, {}, Overwrite::kReplace);
  CHECK(info_of(dir / "x.gif").comments.empty());
}

TEST_CASE("a GIF that is cut anywhere or holds an unknown block is refused") {
  const test::TempDir dir;
  const std::vector<uint8_t> gif =
      encode_gif(std::vector<Image>{make_image(4, 4, 1, 10)}, {}, "how it was made");
  const std::string whole(gif.begin(), gif.end());
  test::put_file(dir / "x.gif", whole.substr(0, whole.size() - 1));
  CHECK(info_of(dir / "x.gif").frames == 1);  // only the end marker is missing
  for (size_t cut = 0; cut < whole.size() - 1; ++cut) {
    CAPTURE(cut);
    test::put_file(dir / "x.gif", whole.substr(0, cut));
    CHECK_THROWS_AS(info_of(dir / "x.gif"), FormatError);
  }
  std::string broken = whole;
  broken.back() = '\x7F';
  test::put_file(dir / "x.gif", broken);
  CHECK_THROWS_AS(info_of(dir / "x.gif"), FormatError);
}

TEST_CASE("the first frame of a GIF is read, and only that") {
  const std::vector<Image> frames = {gray_ramp(0), gray_ramp(90)};
  std::vector<uint8_t> gif = encode_gif(frames, {});
  CHECK(decode_gif(gif, "x.gif") == frames[0]);
  const std::vector<uint8_t> one = encode_gif({frames.data(), 1}, {});
  std::vector<uint8_t> cut(gif.begin(), gif.begin() + static_cast<int64_t>(one.size()) + 20);
  CHECK(decode_gif(cut, "x.gif") == frames[0]);  // inside the second frame
  cut.resize(one.size() - 30);
  CHECK_THROWS_AS(decode_gif(cut, "x.gif"), FormatError);
  Image color = make_image(5, 4, 3);
  std::iota(color.pixels.begin(), color.pixels.end(), uint8_t{3});
  CHECK(decode_gif(encode_gif({&color, 1}, {}), "x.gif") == color);
  gif[7] = gif[9] = 0xFF;  // 65296 pixels a side
  CHECK_THROWS_WITH(decode_gif(gif, "x.gif"), Catch::Matchers::Contains("Scale the image down"));
}

}  // namespace
}  // namespace ebb
