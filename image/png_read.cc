#include <spng.h>
#include <zlib.h>

#include <algorithm>
#include <memory>

#include "base/error.h"
#include "base/file.h"
#include "base/text.h"
#include "image/exif.h"
#include "image/png.h"
#include "image/png_container.h"
#include "image/png_text.h"

namespace ebb {
namespace {

// Larger than any image within the limits of image.h: 16-bit RGBA stored without compression.
constexpr uint64_t kMaxFileBytes = kMaxImagePixels * 8 + (1 << 20);

using Decoder = std::unique_ptr<spng_ctx, decltype(&spng_ctx_free)>;

std::span<const uint8_t> as_bytes(const std::vector<std::byte>& file) {
  return {reinterpret_cast<const uint8_t*>(file.data()), file.size()};
}

void check_spng(int status, const std::string& label) {
  EBB_CHECK(status == SPNG_OK, FormatError, label, ": image cannot be decoded (",
            spng_strerror(status), ").", kPngDamaged);
}

void put_big_endian32(std::vector<uint8_t>& bytes, size_t value) {
  for (int shift = 24; shift >= 0; shift -= 8)
    bytes.push_back(static_cast<uint8_t>(value >> shift));
}

void put_chunk(std::vector<uint8_t>& bytes, std::string_view type, std::span<const uint8_t> data) {
  put_big_endian32(bytes, data.size());
  const size_t start = bytes.size();
  bytes.insert(bytes.end(), type.begin(), type.end());
  bytes.insert(bytes.end(), data.begin(), data.end());
  const auto size = static_cast<uInt>(bytes.size() - start);
  put_big_endian32(bytes, crc32(0, bytes.data() + start, size));
}

// The signature and the chunks that decide about pixels, as they were taken: libspng never sees,
// and so never inflates or refuses, anything else.
std::vector<uint8_t> pixel_chunks(std::span<const uint8_t> file, const PngContainer& png) {
  constexpr size_t kSignatureBytes = 8;
  std::vector<uint8_t> result(file.begin(), file.begin() + kSignatureBytes);
  put_chunk(result, "IHDR", png.chunks.front().data);
  if (!png.palette.empty()) put_chunk(result, "PLTE", png.palette);
  if (!png.transparency.empty()) put_chunk(result, "tRNS", png.transparency);
  for (const std::span<const uint8_t> data : png.data) {
    if (!data.empty()) put_chunk(result, "IDAT", data);
  }
  put_chunk(result, "IEND", {});
  return result;
}

std::vector<uint8_t> decode(std::span<const uint8_t> stream, int format, int flags,
                            const std::string& label) {
  const Decoder decoder(spng_ctx_new(0), spng_ctx_free);
  EBB_CHECK(decoder != nullptr, Error, label, ": libspng cannot start");
  check_spng(spng_set_image_limits(decoder.get(), kMaxImageSide, kMaxImageSide), label);
  check_spng(spng_set_png_buffer(decoder.get(), stream.data(), stream.size()), label);
  size_t bytes = 0;
  check_spng(spng_decoded_image_size(decoder.get(), format, &bytes), label);
  std::vector<uint8_t> pixels(bytes);
  check_spng(spng_decode_image(decoder.get(), pixels.data(), bytes, format, flags), label);
  return pixels;
}

// rows: packed palette indices, each row padded to a byte.
Image expand_palette(PngContainer& png, const std::vector<uint8_t>& rows) {
  const int depth = png.header.bit_depth;
  const size_t row_bytes = (size_t{png.header.width} * depth + 7) / 8;
  const size_t entries = png.palette.size() / 3;
  const int channels = png.transparency.empty() ? 3 : 4;
  Image image = make_image(png.header.width, png.header.height, channels);
  uint8_t* target = image.pixels.data();
  uint64_t unknown = 0;
  for (size_t y = 0; y < png.header.height; ++y) {
    for (size_t x = 0; x < png.header.width; ++x, target += channels) {
      const size_t bit = x * depth;
      const uint8_t packed = rows[y * row_bytes + bit / 8];
      const size_t index = packed >> (8 - depth - bit % 8) & ((1 << depth) - 1);
      // As in libpng, a color that the palette lacks is black.
      if (index < entries) {
        std::copy_n(png.palette.data() + index * 3, 3, target);
      } else {
        ++unknown;
      }
      // Entries behind the end of tRNS are opaque.
      if (channels == 4) {
        target[3] = index < png.transparency.size() ? png.transparency[index] : 255;
      }
    }
  }
  if (unknown > 0) {
    png.warnings.push_back(cat(unknown, " pixels have a color that the palette of ", entries,
                               " lacks, shown as black"));
  }
  return image;
}

// As they are stored, not turned.
Image decode_pixels(std::span<const uint8_t> file, PngContainer& png, const std::string& label) {
  check_png_data_size(png, label);
  const std::vector<uint8_t> stream = pixel_chunks(file, png);
  const PngHeader& header = png.header;
  if (header.color == PngColor::kPalette) {
    return expand_palette(png, decode(stream, SPNG_FMT_PNG, 0, label));
  }
  Image image{static_cast<int>(header.width), static_cast<int>(header.height), 3, {}};
  if (header.color == PngColor::kGrayAlpha || header.color == PngColor::kRgba ||
      !png.transparency.empty()) {
    image.channels = 4;
    image.pixels = decode(stream, SPNG_FMT_RGBA8, SPNG_DECODE_TRNS, label);
    return image;
  }
  image.pixels = decode(stream, SPNG_FMT_RGB8, 0, label);
  if (header.color == PngColor::kGray) {
    image.channels = 1;
    for (size_t i = 0; i < image.pixels.size() / 3; ++i) image.pixels[i] = image.pixels[3 * i];
    image.pixels.resize(image.pixels.size() / 3);
  }
  return image;
}

const char* color_name(PngColor color) {
  switch (color) {
    case PngColor::kGray:
      return "gray";
    case PngColor::kRgb:
      return "RGB";
    case PngColor::kPalette:
      return "palette";
    case PngColor::kGrayAlpha:
      return "gray with alpha";
    case PngColor::kRgba:
      return "RGBA";
  }
  return "unknown";
}

PngInfo info_of(const PngContainer& png, uint64_t file_bytes) {
  const PngHeader& header = png.header;
  PngInfo info;
  info.width = static_cast<int>(header.width);
  info.height = static_cast<int>(header.height);
  info.bit_depth = header.bit_depth;
  info.color = color_name(header.color);
  info.interlaced = header.interlaced;
  info.file_bytes = file_bytes;
  info.orientation = exif_orientation(png.exif);
  info.warnings = png.warnings;
  parse_png_text(png, info);
  return info;
}

}  // namespace

Image decode_png(std::span<const uint8_t> file, const std::string& label) {
  PngContainer png = parse_png_container(file, label);
  return turn_upright(decode_pixels(file, png, label), exif_orientation(png.exif));
}

Image read_png(const std::string& path) {
  const std::vector<std::byte> file = read_file(path, kMaxFileBytes);
  return decode_png(as_bytes(file), path_label(path));
}

PngInfo read_png_info(std::span<const uint8_t> file, const std::string& label) {
  return info_of(parse_png_container(file, label), file.size());
}

PngInfo read_png_info(const std::string& path) {
  const std::vector<std::byte> file = read_file(path, kMaxFileBytes);
  return read_png_info(as_bytes(file), path_label(path));
}

TextChunks read_png_text(const std::string& path) { return read_png_info(path).text; }

std::string describe(const PngInfo& info) {
  return cat("PNG image, ", info.width, " x ", info.height, " pixels, ", info.bit_depth, "-bit ",
             info.color, info.interlaced ? ", interlaced" : "",
             info.orientation == 1 ? "" : cat(", EXIF orientation ", info.orientation), ", ",
             format_bytes(info.file_bytes));
}

std::string describe_png(std::span<const uint8_t> file, const std::string& label) {
  constexpr size_t kMaxShownText = 2000;
  PngContainer png = parse_png_container(file, label);
  decode_pixels(file, png, label);
  const PngInfo info = info_of(png, file.size());

  std::string result = describe(info) + "\n";
  for (const std::string& warning : info.warnings) {
    result += cat("ignored: ", terminal_safe(warning, kMaxShownText), "\n");
  }
  for (const TextChunk& chunk : info.text) {
    result +=
        cat("text ", quoted(chunk.keyword), ": ", terminal_safe(chunk.text, kMaxShownText), "\n");
  }
  for (const std::string& keyword : info.compressed_text) {
    result += cat("text ", quoted(keyword), ": compressed, not shown\n");
  }
  return result;
}

std::string describe_png(const std::string& path) {
  const std::vector<std::byte> file = read_file(path, kMaxFileBytes);
  return describe_png(as_bytes(file), path_label(path));
}

}  // namespace ebb
