#include "image/webp.h"

#include <webp/decode.h>
#include <webp/demux.h>

#include <algorithm>
#include <memory>
#include <string_view>

#include "base/error.h"
#include "base/text.h"
#include "image/byte_reader.h"
#include "image/exif.h"

namespace ebb {
namespace {

using Demuxer = std::unique_ptr<WebPDemuxer, decltype(&WebPDemuxDelete)>;
using AnimDecoder = std::unique_ptr<WebPAnimDecoder, decltype(&WebPAnimDecoderDelete)>;

const char* status_name(VP8StatusCode status) {
  switch (status) {
    case VP8_STATUS_OUT_OF_MEMORY:
      return "out of memory";
    case VP8_STATUS_UNSUPPORTED_FEATURE:
      return "an unsupported feature";
    case VP8_STATUS_NOT_ENOUGH_DATA:
      return "data is missing";
    default:
      return "corrupt data";
  }
}

void check_status(VP8StatusCode status, const std::string& label) {
  EBB_CHECK(status == VP8_STATUS_OK, FormatError, label, ": WebP cannot be decoded (",
            status_name(status), ").", kImageDamaged);
}

WebPBitstreamFeatures features(std::span<const uint8_t> file, const std::string& label) {
  EBB_CHECK(!file.empty(), FormatError, label, ": the file is empty (0 bytes), expected a WebP.",
            kImageDamaged);
  WebPBitstreamFeatures found;
  check_status(WebPGetFeatures(file.data(), file.size(), &found), label);
  check_readable_size(label, static_cast<uint64_t>(found.width),
                      static_cast<uint64_t>(found.height));
  return found;
}

// The bytes of the first chunk of a kind; empty when there is none or the container is cut.
std::string chunk(const WebPDemuxer* demuxer, const char* kind) {
  WebPChunkIterator iterator;
  std::string result;
  if (WebPDemuxGetChunk(demuxer, kind, 1, &iterator) != 0) {
    result.assign(reinterpret_cast<const char*>(iterator.chunk.bytes), iterator.chunk.size);
  }
  WebPDemuxReleaseChunkIterator(&iterator);
  return result;
}

Demuxer demux(std::span<const uint8_t> file) {
  const WebPData data = {file.data(), file.size()};
  return {WebPDemux(&data), WebPDemuxDelete};
}

int orientation_of(const WebPDemuxer* demuxer) {
  const std::string exif = chunk(demuxer, "EXIF");
  std::string_view tiff = exif;
  // Some writers keep the six bytes that introduce EXIF in a JPEG.
  constexpr std::string_view kIntroduction("Exif\0\0", 6);
  if (tiff.starts_with(kIntroduction)) tiff.remove_prefix(kIntroduction.size());
  return exif_orientation({reinterpret_cast<const uint8_t*>(tiff.data()), tiff.size()});
}

Image first_frame(std::span<const uint8_t> file, const WebPBitstreamFeatures& found,
                  const std::string& label) {
  WebPAnimDecoderOptions options;
  WebPAnimDecoderOptionsInit(&options);
  const WebPData data = {file.data(), file.size()};
  const AnimDecoder decoder(WebPAnimDecoderNew(&data, &options), WebPAnimDecoderDelete);
  uint8_t* pixels = nullptr;  // owned by the decoder
  int milliseconds = 0;
  EBB_CHECK(
      decoder != nullptr && WebPAnimDecoderGetNext(decoder.get(), &pixels, &milliseconds) != 0,
      FormatError, label, ": WebP cannot be decoded (its first frame is damaged).", kImageDamaged);
  Image image = make_image(found.width, found.height, 4);
  std::copy_n(pixels, image.pixels.size(), image.pixels.begin());
  return image;
}

Image still(std::span<const uint8_t> file, const WebPBitstreamFeatures& found,
            const std::string& label) {
  Image image = make_image(found.width, found.height, found.has_alpha != 0 ? 4 : 3);
  WebPDecoderConfig config;
  EBB_CHECK(WebPInitDecoderConfig(&config) != 0, Error, label, ": libwebp cannot start");
  config.output.colorspace = image.channels == 4 ? MODE_RGBA : MODE_RGB;
  config.output.is_external_memory = 1;
  config.output.u.RGBA = {image.pixels.data(), image.width * image.channels, image.pixels.size()};
  const VP8StatusCode status = WebPDecode(file.data(), file.size(), &config);
  WebPFreeDecBuffer(&config.output);
  check_status(status, label);
  return image;
}

}  // namespace

WebpInfo read_webp_info(std::span<const uint8_t> file, const std::string& label) {
  constexpr int kLossless = 2;
  const WebPBitstreamFeatures found = features(file, label);
  WebpInfo info{.width = found.width,
                .height = found.height,
                .frames = 1,
                .alpha = found.has_alpha != 0,
                .lossless = found.format == kLossless,
                .orientation = 1,
                .file_bytes = file.size(),
                .xmp = {}};
  const Demuxer demuxer = demux(file);
  EBB_CHECK(demuxer != nullptr, FormatError, label, ": WebP ends too early or its blocks do not",
            " fit together.", kImageDamaged);
  info.frames = static_cast<int>(WebPDemuxGetI(demuxer.get(), WEBP_FF_FRAME_COUNT));
  info.orientation = orientation_of(demuxer.get());
  info.xmp = chunk(demuxer.get(), "XMP ");
  return info;
}

Image decode_webp(std::span<const uint8_t> file, const std::string& label) {
  const WebPBitstreamFeatures found = features(file, label);
  const Image image =
      found.has_animation != 0 ? first_frame(file, found, label) : still(file, found, label);
  const Demuxer demuxer = demux(file);
  return turn_upright(image, demuxer == nullptr ? 1 : orientation_of(demuxer.get()));
}

std::string describe(const WebpInfo& info) {
  return cat("WebP image, ", info.width, " x ", info.height, " pixels, ",
             info.frames > 1 ? cat(info.frames, " frames")
             : info.lossless ? "lossless"
                             : "lossy",
             info.alpha ? ", with alpha" : "",
             info.orientation == 1 ? "" : cat(", EXIF orientation ", info.orientation), ", ",
             format_bytes(info.file_bytes));
}

}  // namespace ebb
