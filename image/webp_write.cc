#include <webp/encode.h>
#include <webp/mux.h>

#include <memory>

#include "base/error.h"
#include "image/webp.h"

namespace ebb {
namespace {

using AnimEncoder = std::unique_ptr<WebPAnimEncoder, decltype(&WebPAnimEncoderDelete)>;
using Mux = std::unique_ptr<WebPMux, decltype(&WebPMuxDelete)>;

void check_webp(bool ok, const char* action) {
  EBB_CHECK(ok, Error, "WebP: libwebp cannot ", action);
}

// Bytes that libwebp allocated.
class OwnedData {
 public:
  OwnedData() { WebPDataInit(&data_); }
  OwnedData(const OwnedData&) = delete;
  OwnedData& operator=(const OwnedData&) = delete;
  ~OwnedData() { WebPDataClear(&data_); }
  WebPData* get() { return &data_; }

 private:
  WebPData data_;
};

class EncoderFrame {
 public:
  explicit EncoderFrame(const Image& image) {
    check_webp(WebPPictureInit(&frame_) != 0, "start a frame");
    frame_.use_argb = 1;
    frame_.width = image.width;
    frame_.height = image.height;
    const bool alpha = image.channels == 4;
    const Image rgb = alpha ? Image() : to_rgb(image);
    const uint8_t* pixels = alpha ? image.pixels.data() : rgb.pixels.data();
    check_webp((alpha ? WebPPictureImportRGBA(&frame_, pixels, image.width * 4)
                      : WebPPictureImportRGB(&frame_, pixels, image.width * 3)) != 0,
               "take a frame: out of memory");
  }
  EncoderFrame(const EncoderFrame&) = delete;
  EncoderFrame& operator=(const EncoderFrame&) = delete;
  ~EncoderFrame() { WebPPictureFree(&frame_); }
  WebPPicture* get() { return &frame_; }

 private:
  WebPPicture frame_;
};

void add_frames(WebPAnimEncoder* encoder, std::span<const Image> frames,
                const AnimationTiming& timing) {
  WebPConfig config;
  check_webp(WebPConfigInit(&config) != 0, "start");
  config.lossless = 1;
  config.exact = 1;     // colors under full transparency stay
  config.quality = 75;  // effort of the lossless coder
  const Image& first = frames.front();
  int start_ms = 0;
  for (size_t i = 0; i < frames.size(); ++i) {
    EBB_CHECK(frames[i].width == first.width && frames[i].height == first.height, ShapeError,
              "WebP: frame ", i, " is ", frames[i].width, " x ", frames[i].height, ", frame 0 is ",
              first.width, " x ", first.height);
    EncoderFrame frame(frames[i]);
    check_webp(WebPAnimEncoderAdd(encoder, frame.get(), start_ms, &config) != 0, "add a frame");
    start_ms += timing.display_ms(i, frames.size());
  }
  check_webp(WebPAnimEncoderAdd(encoder, nullptr, start_ms, nullptr) != 0, "end the animation");
}

}  // namespace

std::vector<uint8_t> encode_webp(std::span<const Image> frames, const AnimationTiming& timing,
                                 const std::string& xmp) {
  EBB_CHECK(!frames.empty(), ShapeError, "WebP: no frames");
  const Image& first = frames.front();
  EBB_CHECK(first.width <= kMaxWebpSide && first.height <= kMaxWebpSide, ShapeError,
            "WebP: frames of ", first.width, " x ", first.height, " pixels, expected at most ",
            kMaxWebpSide, " a side");
  WebPAnimEncoderOptions options;
  check_webp(WebPAnimEncoderOptionsInit(&options) != 0, "start");
  const AnimEncoder encoder(WebPAnimEncoderNew(first.width, first.height, &options),
                            WebPAnimEncoderDelete);
  check_webp(encoder != nullptr, "start");
  add_frames(encoder.get(), frames, timing);
  OwnedData animation, file;
  check_webp(WebPAnimEncoderAssemble(encoder.get(), animation.get()) != 0, "finish");
  if (xmp.empty()) return {animation.get()->bytes, animation.get()->bytes + animation.get()->size};
  const Mux mux(WebPMuxCreate(animation.get(), /*copy_data=*/0), WebPMuxDelete);
  const WebPData packet = {reinterpret_cast<const uint8_t*>(xmp.data()), xmp.size()};
  check_webp(mux != nullptr && WebPMuxSetChunk(mux.get(), "XMP ", &packet, 1) == WEBP_MUX_OK &&
                 WebPMuxAssemble(mux.get(), file.get()) == WEBP_MUX_OK,
             "add the text");
  return {file.get()->bytes, file.get()->bytes + file.get()->size};
}

}  // namespace ebb
