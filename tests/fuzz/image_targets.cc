#include <algorithm>
#include <functional>
#include <stdexcept>
#include <string>

#include "base/error.h"
#include "image/gif.h"
#include "image/jpeg.h"
#include "image/png.h"
#include "image/raster_formats.h"
#include "image/webp.h"
#include "tests/fuzz/promises.h"
#include "tests/fuzz/targets.h"

namespace ebb::test {
namespace {

// Larger images take seconds of inflating and copying and reach no other code.
constexpr int64_t kMaxPixels = 1 << 20;
const std::string kLabel = "fuzz";

void check_description(const std::string& text) {
  expect(
      std::all_of(text.begin(), text.end(), [](unsigned char c) { return c >= ' ' || c == '\n'; }),
      "a description holds control characters");
}

void check_image(const Image& image) {
  expect(image.width >= 1 && image.height >= 1, "an image without pixels");
  expect(is_readable_size(static_cast<uint64_t>(image.width), static_cast<uint64_t>(image.height)),
         "an image beyond the limits");
  expect(image.channels == 1 || image.channels == 3 || image.channels == 4, "odd channels");
  const auto pixels = static_cast<size_t>(image.width) * static_cast<size_t>(image.height);
  expect(image.pixels.size() == pixels * static_cast<size_t>(image.channels), "missing pixels");
}

void read_or_refuse(const std::function<void()>& read) {
  try {
    read();
  } catch (const FormatError& error) {
    check_message(error.what(), kLabel + ": ", 4000);
  }
}

// read_info: size of the image, as (width, height) of the result.
template <typename Info, typename Decode>
void fuzz_decoder(std::span<const uint8_t> bytes, const Info& read_info, const Decode& decode) {
  read_or_refuse([&] {
    const auto info = read_info(bytes, kLabel);
    if (int64_t{info.width} * info.height > kMaxPixels) return;
    check_image(decode(bytes, kLabel));
  });
}

}  // namespace

void fuzz_png(std::span<const uint8_t> bytes) {
  fuzz_decoder(
      bytes,
      [](auto file, const std::string& label) {
        const PngInfo info = read_png_info(file, label);
        if (int64_t{info.width} * info.height <= kMaxPixels) {
          check_description(describe_png(file, label));
        }
        return info;
      },
      decode_png);
}

void fuzz_jpeg(std::span<const uint8_t> bytes) {
  fuzz_decoder(
      bytes,
      [](auto file, const std::string& label) {
        const JpegInfo info = read_jpeg_info(file, label);
        if (int64_t{info.width} * info.height <= kMaxPixels) {
          check_description(describe_jpeg(file, label));
        }
        return info;
      },
      decode_jpeg);
}

void fuzz_webp(std::span<const uint8_t> bytes) { fuzz_decoder(bytes, read_webp_info, decode_webp); }

void fuzz_gif(std::span<const uint8_t> bytes) { fuzz_decoder(bytes, read_gif_info, decode_gif); }

void fuzz_bmp(std::span<const uint8_t> bytes) { fuzz_decoder(bytes, read_bmp_info, decode_bmp); }

void fuzz_pnm(std::span<const uint8_t> bytes) { fuzz_decoder(bytes, read_pnm_info, decode_pnm); }

void fuzz_tga(std::span<const uint8_t> bytes) { fuzz_decoder(bytes, read_tga_info, decode_tga); }

}  // namespace ebb::test
