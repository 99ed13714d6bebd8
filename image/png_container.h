#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace ebb {

// Ends the messages about damage that only a new copy can cure.
inline constexpr const char* kPngDamaged = " The file is damaged; get it again.";

// Values of the IHDR field "color type" (PNG specification, 11.2.2).
enum class PngColor : uint8_t { kGray = 0, kRgb = 2, kPalette = 3, kGrayAlpha = 4, kRgba = 6 };

struct PngHeader {
  uint32_t width = 0;
  uint32_t height = 0;
  int bit_depth = 0;  // per sample
  PngColor color = PngColor::kGray;
  bool interlaced = false;  // Adam7

  int bits_per_pixel() const;
};

struct PngChunk {
  std::string_view type;          // four letters
  std::span<const uint8_t> data;  // without length, type and CRC
  std::span<const uint8_t> raw;   // the whole chunk
};

// Views into the bytes given to parse_png_container().
struct PngContainer {
  PngHeader header;
  std::span<const uint8_t> palette;            // PLTE: 3 bytes per entry, or empty
  std::span<const uint8_t> transparency;       // tRNS, or empty
  std::span<const uint8_t> exif;               // eXIf: a TIFF structure, or empty
  std::vector<std::span<const uint8_t>> data;  // each IDAT
  std::vector<PngChunk> chunks;                // all sound ones, IHDR to IEND
  std::vector<std::string> warnings;           // what is wrong and does not matter to the pixels
};

// Checks signature, CRCs, header fields, the limits of image.h, and presence, order and size of the
// chunks that decide about pixels. Throws FormatError naming `label` (a path as messages show it).
// Text chunks are not read. As in libpng, and so in every viewer, damage that takes no part of the
// image is a warning: of a chunk that a decoder may skip, and of anything behind the image data.
PngContainer parse_png_container(std::span<const uint8_t> bytes, const std::string& label);

// Inflates the image data without keeping it: FormatError unless it is one complete zlib stream
// of at least the size that the header announces. Stops at the first surplus byte, so a compression
// bomb costs no more than the image it claims to be. Surplus data, inside and behind the stream, is
// ignored with a warning (PNG specification, third edition, 13.7).
void check_png_data_size(PngContainer& png, const std::string& label);

}  // namespace ebb
