#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/output_file.h"
#include "image/image.h"

namespace ebb {

// One text chunk of a PNG. keyword: 1 to 79 printable ASCII characters, no space at either end.
// text: UTF-8, not empty, without NUL.
struct TextChunk {
  std::string keyword;
  std::string text;

  friend bool operator==(const TextChunk&, const TextChunk&) = default;
};
using TextChunks = std::vector<TextChunk>;

// The text of the first chunk with this keyword, or nullptr.
const std::string* find_text(const TextChunks& chunks, const std::string& keyword);

// 8-bit PNG, not interlaced. ASCII text becomes tEXt, other text iTXt, so that readers that take
// tEXt for UTF-8 and readers that take it for Latin-1 (as the standard says) agree.
// The same image and text give the same bytes.
std::vector<uint8_t> encode_png(const Image& image, const TextChunks& text = {});

// encode_png() into a file that appears complete or not at all. IoError when the file exists and
// `overwrite` is kRefuse, or when it cannot be written.
void write_png(const std::string& path, const Image& image, const TextChunks& text = {},
               Overwrite overwrite = Overwrite::kRefuse);

// Gray as 1 channel, color and palette as 3, anything with transparency as 4 channels, turned
// upright as EXIF says. 16-bit samples keep their high byte. A damaged checksum, missing image
// data, a chunk out of order or a size beyond the limits of image.h throws FormatError; what
// libpng, and so every viewer, passes over with a warning is passed over: damage in a chunk that
// decides about no pixel, surplus image data, a missing end. IoError when the file cannot be read.
Image read_png(const std::string& path);
// The same from the bytes of a file; messages start with `label` (a path as messages show it).
Image decode_png(std::span<const uint8_t> file, const std::string& label);

// Metadata of a PNG. Reading it checks every chunk but does not decode the image.
struct PngInfo {
  int width = 0;
  int height = 0;
  int bit_depth = 0;  // per sample, as stored
  std::string color;  // "gray", "RGB", "palette", "gray with alpha", "RGBA"
  bool interlaced = false;
  uint64_t file_bytes = 0;
  TextChunks text;                           // in file order, converted to UTF-8
  std::vector<std::string> compressed_text;  // keywords of text that is never inflated
  int orientation = 1;                       // of EXIF, 1 upright
  std::vector<std::string> warnings;         // damage that was passed over; not safe to print
};
PngInfo read_png_info(const std::string& path);
PngInfo read_png_info(std::span<const uint8_t> file, const std::string& label);

// "PNG image, 28 x 28 pixels, 8-bit gray, 812 bytes"
std::string describe(const PngInfo& info);

// read_png_info(path).text
TextChunks read_png_text(const std::string& path);

// Decodes the whole file and describes it for `ebb inspect`: size, kind and text, safe to print.
std::string describe_png(const std::string& path);
std::string describe_png(std::span<const uint8_t> file, const std::string& label);

}  // namespace ebb
