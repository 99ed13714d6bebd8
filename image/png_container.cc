#include "image/png_container.h"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "base/error.h"
#include "base/text.h"
#include "image/png.h"

namespace ebb {
namespace {

constexpr std::array<uint8_t, 8> kSignature = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1A, '\n'};
constexpr size_t kChunkOverhead = 12;  // length, type, CRC
constexpr uint32_t kMaxChunkBytes = 0x7FFFFFFF;
constexpr size_t kMaxChunks = 1 << 18;

std::string hex(uint32_t value) {
  std::array<char, 8> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value, 16).ptr;
  return {digits.data(), end};
}

uint32_t big_endian32(const uint8_t* bytes) {
  return uint32_t{bytes[0]} << 24 | uint32_t{bytes[1]} << 16 | uint32_t{bytes[2]} << 8 | bytes[3];
}

// Kind that a file without a PNG signature seems to have, for the message.
std::string guess_kind(std::string_view start) {
  struct Kind {
    std::string_view magic;
    const char* name;
  };
  constexpr std::array<Kind, 7> kKinds = {{{"\xFF\xD8\xFF", "a JPEG image"},
                                           {"GIF8", "a GIF image"},
                                           {"RIFF", "a WebP or other RIFF file"},
                                           {"BM", "a BMP image"},
                                           {"<", "an HTML, SVG or XML page"},
                                           {"version https://git-lfs", "a Git LFS pointer"},
                                           {"PK\x03\x04", "a ZIP archive"}}};
  for (const Kind& kind : kKinds) {
    if (start.starts_with(kind.magic)) return cat("looks like ", kind.name);
  }
  return "does not start with the PNG signature";
}

void check_signature(std::span<const uint8_t> bytes, const std::string& label) {
  EBB_CHECK(!bytes.empty(), FormatError, label, ": the file is empty (0 bytes), expected a PNG.",
            kPngDamaged);
  if (bytes.size() >= kSignature.size() &&
      std::equal(kSignature.begin(), kSignature.end(), bytes.begin())) {
    return;
  }
  const std::string_view start(reinterpret_cast<const char*>(bytes.data()),
                               std::min<size_t>(bytes.size(), 32));
  throw FormatError(cat(label, ": not a PNG image: ", guess_kind(start), " (", bytes.size(),
                        " bytes). Convert it to PNG or give another file."));
}

// The chunk at `offset`; its CRC is not checked.
PngChunk read_chunk(std::span<const uint8_t> bytes, size_t offset, const std::string& label) {
  const size_t left = bytes.size() - offset;
  EBB_CHECK(left >= kChunkOverhead, FormatError, label, ": ends at byte ", bytes.size(),
            left == 0 ? " without an IEND chunk." : " inside a chunk header.", kPngDamaged);
  const uint8_t* start = bytes.data() + offset;
  const uint32_t length = big_endian32(start);
  const std::string_view type(reinterpret_cast<const char*>(start + 4), 4);
  const bool letters = std::all_of(type.begin(), type.end(), [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
  });
  EBB_CHECK(letters, FormatError, label, ": chunk at byte ", offset, " has the type ", quoted(type),
            ", expected four letters.", kPngDamaged);
  EBB_CHECK(length <= kMaxChunkBytes && length <= left - kChunkOverhead, FormatError, label,
            ": chunk ", type, " at byte ", offset, " announces ", length, " bytes, the file holds ",
            left - kChunkOverhead, ".", kPngDamaged);
  return {type, {start + 8, length}, {start, length + kChunkOverhead}};
}

// Critical chunks have a capital first letter; a decoder must not skip one that it does not know.
bool is_critical(const PngChunk& chunk) { return (chunk.type[0] & 0x20) == 0; }

// The error of a wrong CRC; empty if it matches.
std::string crc_error(const PngChunk& chunk, size_t offset) {
  const size_t length = chunk.data.size();
  const uint32_t stored = big_endian32(chunk.raw.data() + 8 + length);
  const auto computed =
      static_cast<uint32_t>(crc32(0, chunk.raw.data() + 4, static_cast<uInt>(length + 4)));
  if (stored == computed) return "";
  return cat("chunk ", chunk.type, " at byte ", offset, " has the CRC ", hex(stored),
             ", its data gives ", hex(computed));
}

bool is_valid_depth(PngColor color, int depth) {
  const bool power_of_two = depth == 1 || depth == 2 || depth == 4 || depth == 8 || depth == 16;
  switch (color) {
    case PngColor::kGray:
      return power_of_two;
    case PngColor::kPalette:
      return power_of_two && depth <= 8;
    case PngColor::kRgb:
    case PngColor::kGrayAlpha:
    case PngColor::kRgba:
      return depth == 8 || depth == 16;
  }
  return false;
}

PngHeader parse_header(const PngChunk& chunk, const std::string& label) {
  EBB_CHECK(chunk.type == "IHDR" && chunk.data.size() == 13, FormatError, label,
            ": starts with a chunk ", chunk.type, " of ", chunk.data.size(),
            " bytes, expected IHDR of 13.", kPngDamaged);
  const uint8_t* field = chunk.data.data();
  PngHeader header;
  header.width = big_endian32(field);
  header.height = big_endian32(field + 4);
  header.bit_depth = field[8];
  header.color = static_cast<PngColor>(field[9]);
  header.interlaced = field[12] == 1;
  check_readable_size(label, header.width, header.height);
  EBB_CHECK(is_valid_depth(header.color, header.bit_depth), FormatError, label, ": color type ",
            int{field[9]}, " with ", header.bit_depth, " bits is not defined by PNG.", kPngDamaged);
  EBB_CHECK(field[10] == 0 && field[11] == 0 && field[12] <= 1, FormatError, label,
            ": compression ", int{field[10]}, ", filter ", int{field[11]}, ", interlace ",
            int{field[12]}, "; PNG defines 0, 0 and 0 or 1.", kPngDamaged);
  return header;
}

// Only a palette image needs its PLTE; elsewhere it is a suggestion, and does not count.
void take_palette(const PngChunk& chunk, const std::string& label, PngContainer& png) {
  if (png.header.color != PngColor::kPalette) return;
  EBB_CHECK(png.data.empty() && png.palette.empty(), FormatError, label,
            ": PLTE comes twice or after the image data.", kPngDamaged);
  const size_t limit = size_t{3} << png.header.bit_depth;
  EBB_CHECK(!chunk.data.empty() && chunk.data.size() % 3 == 0, FormatError, label, ": PLTE holds ",
            chunk.data.size(), " bytes, expected a multiple of 3 up to ", limit, ".", kPngDamaged);
  if (chunk.data.size() > limit) {
    png.warnings.push_back(cat("PLTE holds ", chunk.data.size() / 3, " colors, of which ",
                               png.header.bit_depth, " bits reach ", limit / 3));
  }
  png.palette = chunk.data.first(std::min(chunk.data.size(), limit));
}

void take_transparency(const PngChunk& chunk, PngContainer& png) {
  const size_t size = chunk.data.size();
  bool valid = false;
  if (png.header.color == PngColor::kGray) valid = size == 2;
  if (png.header.color == PngColor::kRgb) valid = size == 6;
  if (png.header.color == PngColor::kPalette) valid = size >= 1 && size <= png.palette.size() / 3;
  if (!valid || !png.data.empty() || !png.transparency.empty()) {
    png.warnings.push_back(
        cat("tRNS of ", size, " bytes does not fit the color type, the palette or its place"));
    return;
  }
  png.transparency = chunk.data;
}

void take_data(const PngChunk& chunk, const std::string& label, PngContainer& png) {
  if (!png.data.empty() && png.chunks.back().type != "IDAT") {
    png.warnings.emplace_back("more image data follows behind another chunk");
    return;
  }
  EBB_CHECK(png.header.color != PngColor::kPalette || !png.palette.empty(), FormatError, label,
            ": palette image without a PLTE chunk.", kPngDamaged);
  png.data.push_back(chunk.data);
}

// Checks `chunk` against those before it and appends it.
void append_chunk(const PngChunk& chunk, const std::string& label, PngContainer& png) {
  if (chunk.type == "PLTE") {
    take_palette(chunk, label, png);
  } else if (chunk.type == "tRNS") {
    take_transparency(chunk, png);
  } else if (chunk.type == "eXIf") {
    if (png.exif.empty()) png.exif = chunk.data;
  } else if (chunk.type == "IDAT") {
    take_data(chunk, label, png);
  } else if (chunk.type == "IEND") {
    EBB_CHECK(!png.data.empty(), FormatError, label, ": IEND without image data before it.",
              kPngDamaged);
    if (!chunk.data.empty()) png.warnings.emplace_back("IEND holds data");
  } else {
    EBB_CHECK(!is_critical(chunk), FormatError, label, ": unexpected critical chunk ", chunk.type,
              ", expected PLTE, IDAT or IEND.", kPngDamaged);
  }
  EBB_CHECK(png.chunks.size() < kMaxChunks, FormatError, label, ": more than ", kMaxChunks,
            " chunks.", kPngDamaged);
  png.chunks.push_back(chunk);
}

// Reads the chunk at `offset`. False when that cannot be done and need not: the image is there.
bool read_next(std::span<const uint8_t> bytes, size_t& offset, const std::string& label,
               PngContainer& png) {
  try {
    const PngChunk chunk = read_chunk(bytes, offset, label);
    const std::string error = crc_error(chunk, offset);
    EBB_CHECK(error.empty() || !is_critical(chunk), FormatError, label, ": ", error, ".",
              kPngDamaged);
    offset += chunk.raw.size();
    if (error.empty()) {
      append_chunk(chunk, label, png);
    } else {
      png.warnings.push_back(error);
    }
    return true;
  } catch (const FormatError& error) {
    // Whether all image data came before this is for check_png_data_size() to say.
    const bool is_behind_data =
        !png.data.empty() &&
        (offset + 8 > bytes.size() ||
         std::string_view(reinterpret_cast<const char*>(bytes.data()) + offset + 4, 4) != "IDAT");
    if (!is_behind_data) throw;
    // Without the file's name and the advice.
    const std::string message = std::string(error.what()).substr(label.size() + 2);
    png.warnings.push_back(message.substr(0, message.find(kPngDamaged)));
    return false;
  }
}

}  // namespace

int PngHeader::bits_per_pixel() const {
  switch (color) {
    case PngColor::kRgb:
      return 3 * bit_depth;
    case PngColor::kGrayAlpha:
      return 2 * bit_depth;
    case PngColor::kRgba:
      return 4 * bit_depth;
    case PngColor::kGray:
    case PngColor::kPalette:
      break;
  }
  return bit_depth;
}

PngContainer parse_png_container(std::span<const uint8_t> bytes, const std::string& label) {
  check_signature(bytes, label);
  size_t offset = kSignature.size();
  PngContainer png;
  const PngChunk header = read_chunk(bytes, offset, label);
  const std::string error = crc_error(header, offset);
  EBB_CHECK(error.empty(), FormatError, label, ": ", error, ".", kPngDamaged);
  png.header = parse_header(header, label);
  png.chunks.push_back(header);
  offset += header.raw.size();
  while (png.chunks.back().type != "IEND" && read_next(bytes, offset, label, png)) {
  }
  return png;
}

}  // namespace ebb
