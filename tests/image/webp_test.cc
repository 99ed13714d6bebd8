#include "image/webp.h"

#include <webp/encode.h>
#include <webp/mux.h>

#include <numeric>

#include "base/error.h"
#include "testing/catch.h"
#include "testing/errors.h"
#include "tests/image/jpeg_builder.h"

namespace ebb {
namespace {

using Catch::Matchers::Contains;
using Bytes = std::vector<uint8_t>;

Image ramp(int channels) {
  Image image = make_image(7, 5, channels);
  std::iota(image.pixels.begin(), image.pixels.end(), uint8_t{1});
  return image;
}

// By libwebp's own encoder.
Bytes lossless(const Image& image) {
  uint8_t* data = nullptr;
  const size_t size = image.channels == 4
                          ? WebPEncodeLosslessRGBA(image.pixels.data(), image.width, image.height,
                                                   image.width * 4, &data)
                          : WebPEncodeLosslessRGB(image.pixels.data(), image.width, image.height,
                                                  image.width * 3, &data);
  Bytes result(data, data + size);
  WebPFree(data);
  return result;
}

Bytes with_exif(const Bytes& file, const std::string& exif) {
  const WebPData data = {file.data(), file.size()};
  const WebPData chunk = {reinterpret_cast<const uint8_t*>(exif.data()), exif.size()};
  WebPMux* mux = WebPMuxCreate(&data, 0);
  WebPData output;
  REQUIRE(WebPMuxSetChunk(mux, "EXIF", &chunk, 1) == WEBP_MUX_OK);
  REQUIRE(WebPMuxAssemble(mux, &output) == WEBP_MUX_OK);
  Bytes result(output.bytes, output.bytes + output.size);
  WebPDataClear(&output);
  WebPMuxDelete(mux);
  return result;
}

TEST_CASE("lossless WebPs come back exactly, with and without alpha") {
  CHECK(decode_webp(lossless(ramp(3)), "x.webp") == ramp(3));
  Image image = ramp(4);
  image.pixels[3] = 0;
  const Image read = decode_webp(lossless(image), "x.webp");
  CHECK(read.channels == 4);
  CHECK(Bytes(read.pixels.begin() + 3, read.pixels.end()) ==
        Bytes(image.pixels.begin() + 3, image.pixels.end()));
  const WebpInfo info = read_webp_info(lossless(ramp(3)), "x.webp");
  CHECK((info.width == 7 && info.height == 5 && info.lossless && !info.alpha));
  CHECK_THAT(describe(info), Contains("WebP image, 7 x 5 pixels, lossless, "));
}

TEST_CASE("EXIF turns a WebP, with and without the introduction of JPEG") {
  const Image plain = ramp(3);
  for (const bool big_endian : {false, true}) {
    const std::string block = test::exif_block(6, big_endian);
    for (const std::string& exif : {block, block.substr(6)}) {
      const Image turned = decode_webp(with_exif(lossless(plain), exif), "x.webp");
      REQUIRE(turned.width == 5);
      REQUIRE(turned.height == 7);
      // The lower left corner comes to the upper left.
      CHECK(turned.pixels[0] == plain.pixels[4 * 7 * 3]);
    }
  }
  CHECK_THAT(describe(read_webp_info(with_exif(lossless(plain), test::exif_block(6, true)), "x")),
             Contains("EXIF orientation 6"));
}

TEST_CASE("an animation is lossless, carries its packet, and its first frame is read") {
  const std::vector<Image> frames = {ramp(3), make_image(7, 5, 1, 90), ramp(1)};
  const std::string packet = "<x:xmpmeta/>";
  const Bytes file = encode_webp(frames, {}, packet);
  const WebpInfo info = read_webp_info(file, "x.webp");
  CHECK(info.frames == 3);
  CHECK(info.xmp == packet);
  const Image first = decode_webp(file, "x.webp");
  CHECK(first.channels == 4);
  CHECK(to_rgb(first) == frames[0]);
  CHECK(encode_webp(frames, {}, packet) == file);
  CHECK(read_webp_info(encode_webp(frames, {}), "x.webp").xmp.empty());
  CHECK_THROWS_AS(encode_webp({}, {}), ShapeError);
  const std::vector<Image> odd = {ramp(3), make_image(4, 4, 1)};
  CHECK_THROWS_WITH(encode_webp(odd, {}), Contains("frame 1 is 4 x 4"));
}

TEST_CASE("a WebP that is cut anywhere or broken is refused") {
  const Bytes still = lossless(ramp(3));
  for (size_t size = 0; size + 1 < still.size(); ++size) {  // a padding byte may end it
    CAPTURE(size, still.size());
    const Bytes cut(still.begin(), still.begin() + static_cast<int64_t>(size));
    CHECK_THAT(test::message_of<FormatError>([&] { decode_webp(cut, "x.webp"); }),
               Contains("x.webp: "));
  }
  const std::vector<Image> frames = {ramp(3), make_image(7, 5, 1, 90)};
  const Bytes moving = encode_webp(frames, {});
  for (size_t size = 0; size < moving.size() / 2; ++size) {
    const Bytes cut(moving.begin(), moving.begin() + static_cast<int64_t>(size));
    CHECK_THROWS_AS(decode_webp(cut, "x.webp"), FormatError);
  }
}

}  // namespace
}  // namespace ebb
