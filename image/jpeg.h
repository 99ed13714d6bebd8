#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "image/image.h"

namespace ebb {

// A JPEG as it is stored, before its orientation is applied.
struct JpegInfo {
  int width = 0;
  int height = 0;
  bool gray = false;  // else color
  bool progressive = false;
  int orientation = 1;  // of EXIF, 1 upright
  uint64_t file_bytes = 0;
};

// Gray as 1 channel, color as 3, turned upright as EXIF says: the pixels that libjpeg-turbo's
// exact integer transform and smooth chroma upsampling give. Huffman-coded baseline and progressive
// files with 8-bit samples; CMYK, 12-bit, lossless and arithmetic-coded ones are refused by name.
// A scan that ends early or is corrupt, and a size beyond the limits of image.h, throw FormatError.
// Accepts everything that libjpeg, and so every viewer, decodes without loss: odd fields in camera
// headers, a few extra bytes before a marker, a missing end marker. Bytes after the end marker are
// ignored. IoError if the file cannot be read.
Image read_jpeg(const std::string& path);
// The same from the bytes of a file; messages start with `label` (a path as messages show it).
Image decode_jpeg(std::span<const uint8_t> file, const std::string& label);

// Reads what stands before the image data, and checks only that.
JpegInfo read_jpeg_info(const std::string& path);
JpegInfo read_jpeg_info(std::span<const uint8_t> file, const std::string& label);

// "JPEG image, 640 x 480 pixels, 8-bit color, progressive, 81234 bytes"
std::string describe(const JpegInfo& info);

// Decodes the whole file and describes it for `ebb inspect`.
std::string describe_jpeg(std::span<const uint8_t> file, const std::string& label);

}  // namespace ebb
