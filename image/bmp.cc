// BMP: the header is read here, into one form that stb_image reads without a doubt.
#include <algorithm>
#include <array>
#include <cstdlib>
#include <vector>

#include "base/error.h"
#include "image/byte_reader.h"
#include "image/raster_formats.h"
#include "image/stb_decoder.h"

namespace ebb {
namespace {

constexpr uint32_t kFileHeaderBytes = 14, kCoreHeader = 12, kInfoHeader = 40, kV4Header = 108;
// Values of the field "compression".
constexpr uint32_t kRgb = 0, kRle8 = 1, kRle4 = 2, kBitFields = 3, kJpeg = 4, kPng = 5,
                   kAlphaBitFields = 6;

struct BmpHeader {
  uint64_t data_offset = 0;
  uint32_t header_bytes = 0;
  uint32_t width = 0, height = 0;
  bool top_down = false;
  uint32_t bits = 0;  // per pixel
  uint32_t compression = kRgb;
  uint32_t colors = 0;                 // entries of the palette, 0: all
  std::array<uint32_t, 4> masks = {};  // red, green, blue, alpha of 16 and 32 bits

  uint64_t row_bytes() const { return (uint64_t{width} * bits + 31) / 32 * 4; }
};

const char* compression_name(uint32_t compression) {
  switch (compression) {
    case kRle8:
    case kRle4:
      return "run-length coded";
    case kJpeg:
      return "one that holds a JPEG";
    case kPng:
      return "one that holds a PNG";
    default:
      return "of an unknown compression";
  }
}

void check_kind(const BmpHeader& header, const std::string& label) {
  const uint32_t bits = header.bits;
  const bool has_masks = header.compression == kBitFields || header.compression == kAlphaBitFields;
  EBB_CHECK(header.compression == kRgb || has_masks, FormatError, label, ": BMP, ",
            compression_name(header.compression),
            ", expected an uncompressed one. Save it again as PNG.");
  const bool known = bits == 1 || bits == 4 || bits == 8 || bits == 16 || bits == 24 || bits == 32;
  EBB_CHECK(known && (!has_masks || bits == 16 || bits == 32), FormatError, label, ": BMP of ",
            bits, " bits a pixel", has_masks ? " with bit masks" : "",
            ", expected 1, 4, 8, 16, 24 or 32 (masks: 16 or 32). Save it again as PNG.");
}

std::array<uint32_t, 4> usual_masks(uint32_t bits) {
  if (bits == 16) return {0x7C00, 0x03E0, 0x001F, 0};
  return {0x00FF0000, 0x0000FF00, 0x000000FF, 0xFF000000};
}

BmpHeader parse(std::span<const uint8_t> file, const std::string& label) {
  ByteReader reader(file, label, "BMP");
  reader.take(10);  // "BM", size, reserved
  BmpHeader header;
  header.data_offset = reader.u32();
  header.header_bytes = reader.u32();
  EBB_CHECK(header.header_bytes == kCoreHeader ||
                (header.header_bytes >= kInfoHeader && header.header_bytes <= 124),
            FormatError, label, ": BMP with a header of ", header.header_bytes,
            " bytes, expected 12 or 40 to 124.", kImageDamaged);
  if (header.header_bytes == kCoreHeader) {
    header.width = reader.u16();
    header.height = reader.u16();
  } else {
    header.width = reader.u32();
    const auto height = static_cast<int32_t>(reader.u32());
    header.top_down = height < 0;
    header.height = static_cast<uint32_t>(std::abs(int64_t{height}));
  }
  check_readable_size(label, header.width, header.height);
  reader.take(2);  // planes
  header.bits = reader.u16();
  if (header.header_bytes > kCoreHeader) {
    header.compression = reader.u32();
    reader.take(12);  // size of the data, resolution
    header.colors = reader.u32();
    reader.take(4);  // important colors
  }
  check_kind(header, label);
  header.masks = usual_masks(header.bits);
  if (header.compression != kRgb) {
    // Inside a longer header, or behind the short one.
    for (int i = 0; i < 3; ++i) header.masks[i] = reader.u32();
    const bool has_alpha = header.header_bytes >= 56 || header.compression == kAlphaBitFields;
    header.masks[3] = has_alpha ? reader.u32() : 0;
  }
  // Some writers leave out the padding of the last row.
  const uint64_t last_row = (uint64_t{header.width} * header.bits + 7) / 8;
  const uint64_t needed = header.row_bytes() * (header.height - 1) + last_row;
  EBB_CHECK(header.data_offset <= file.size() && needed <= file.size() - header.data_offset,
            FormatError, label, ": ", header.width, " x ", header.height, " pixels of ",
            header.bits, " bits need ", needed, " bytes from byte ", header.data_offset,
            ", the file holds ", file.size(), ".", kImageDamaged);
  return header;
}

// The colors of the palette as blue, green, red and 0; what the file does not define is black.
std::vector<uint8_t> palette(std::span<const uint8_t> file, const BmpHeader& header) {
  const size_t entries = size_t{1} << header.bits;
  const size_t stored_bytes = header.header_bytes == kCoreHeader ? 3 : 4;
  const size_t start = kFileHeaderBytes + header.header_bytes;
  const size_t room = header.data_offset > start ? header.data_offset - start : 0;
  size_t stored = std::min(room / stored_bytes, entries);
  if (header.colors > 0) stored = std::min<size_t>(stored, header.colors);
  std::vector<uint8_t> result(entries * 4);
  for (size_t i = 0; i < stored; ++i) {
    std::copy_n(file.begin() + static_cast<int64_t>(start + i * stored_bytes), 3,
                result.begin() + static_cast<int64_t>(i * 4));
  }
  return result;
}

void put(std::vector<uint8_t>& bytes, uint32_t value, int count) {
  for (int i = 0; i < count; ++i) bytes.push_back(static_cast<uint8_t>(value >> 8 * i));
}

// stb_image takes palettes shorter than it expects from memory that was never set, misplaces those
// of OS/2 and knows not all headers: it gets the same image with a complete header and palette.
std::vector<uint8_t> canonical(std::span<const uint8_t> file, const BmpHeader& header) {
  const bool has_masks = header.bits == 16 || header.bits == 32;
  const uint32_t header_bytes = has_masks ? kV4Header : kInfoHeader;
  const std::vector<uint8_t> colors =
      header.bits <= 8 ? palette(file, header) : std::vector<uint8_t>();
  const auto offset = static_cast<uint32_t>(kFileHeaderBytes + header_bytes + colors.size());
  std::vector<uint8_t> result = {'B', 'M', 0, 0, 0, 0, 0, 0, 0, 0};
  put(result, offset, 4);
  put(result, header_bytes, 4);
  put(result, header.width, 4);
  put(result, header.top_down ? -header.height : header.height, 4);
  put(result, 1, 2);
  put(result, header.bits, 2);
  put(result, has_masks ? kBitFields : kRgb, 4);
  result.resize(kFileHeaderBytes + kInfoHeader);
  if (has_masks) {
    for (const uint32_t mask : header.masks) put(result, mask, 4);
  }
  result.resize(kFileHeaderBytes + header_bytes);
  result.insert(result.end(), colors.begin(), colors.end());
  const auto data = file.subspan(header.data_offset);
  const uint64_t bytes = header.row_bytes() * header.height;
  const auto available = static_cast<int64_t>(std::min<uint64_t>(bytes, data.size()));
  result.insert(result.end(), data.begin(), data.begin() + available);
  result.resize(offset + bytes);
  return result;
}

}  // namespace

RasterInfo read_bmp_info(std::span<const uint8_t> file, const std::string& label) {
  const BmpHeader header = parse(file, label);
  return {static_cast<int>(header.width), static_cast<int>(header.height),
          cat(header.bits, "-bit ", header.bits <= 8 ? "palette" : "color")};
}

Image decode_bmp(std::span<const uint8_t> file, const std::string& label) {
  return without_unused_alpha(decode_with_stb(canonical(file, parse(file, label)), label, "BMP"));
}

}  // namespace ebb
