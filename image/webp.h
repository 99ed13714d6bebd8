#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "image/animation.h"
#include "image/image.h"

namespace ebb {

// The largest side that the format can hold.
inline constexpr int kMaxWebpSide = 16383;

// Header fields of a WebP file, as stored.
struct WebpInfo {
  int width = 0;
  int height = 0;
  int frames = 1;
  bool alpha = false;
  bool lossless = false;  // of a still image
  int orientation = 1;    // of EXIF, 1 upright
  uint64_t file_bytes = 0;
  std::string xmp;  // the XMP packet as stored: any bytes
};

// All of these take the bytes of a file and its `label` (a path as messages show it). FormatError
// when the file is cut or damaged, or its size is beyond the limits of image.h.
WebpInfo read_webp_info(std::span<const uint8_t> file, const std::string& label);

// RGB, or RGBA where the file has transparency, turned upright as EXIF says; the first frame of an
// animation.
Image decode_webp(std::span<const uint8_t> file, const std::string& label);

// "WebP image, 640 x 480 pixels, lossless, 81234 bytes"
std::string describe(const WebpInfo& info);

// An endless lossless animation of frames of equal size. `xmp` (may be empty) becomes its XMP
// packet. The same frames give the same bytes.
std::vector<uint8_t> encode_webp(std::span<const Image> frames, const AnimationTiming& timing,
                                 const std::string& xmp = {});

}  // namespace ebb
