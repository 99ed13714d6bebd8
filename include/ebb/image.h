#pragma once

#include <ebb/export.h>

#include <cstdint>
#include <string>
#include <vector>

namespace ebb::api {

// 8-bit image, rows top to bottom, channels interleaved: pixels [height][width][channels].
// channels: 1 gray, 3 RGB, 4 RGBA with straight alpha.
struct EBB_API Image {
  int width = 0;
  int height = 0;
  int channels = 0;
  std::vector<uint8_t> pixels;

  // A PNG file that appears complete or not at all. IoError when it exists and `overwrite` is
  // false, or when it cannot be written; ShapeError when the pixels do not fit the size.
  void save_png(const std::string& path, bool overwrite = false) const;
  // Gray as 1 channel, color as 3, anything with transparency as 4. FormatError when the file is
  // damaged or no PNG, IoError when it cannot be read.
  static Image load_png(const std::string& path);

  // Scaled as Pillow's BICUBIC does. ShapeError for an image with alpha.
  Image resized(int new_width, int new_height) const;
  // As one channel: ITU-R 601-2 luma, alpha ignored.
  Image to_gray() const;

  friend bool operator==(const Image&, const Image&) = default;
};

}  // namespace ebb::api
