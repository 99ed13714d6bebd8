#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/output_file.h"
#include "image/animation.h"
#include "image/image.h"

namespace ebb {

// An endless animation of frames of equal size, with `comment` (ASCII, may be empty) in it. Gray
// frames are exact; color frames are exact up to 256 colors each and reduced to the 256 of a
// median cut beyond. Transparency becomes white.
std::vector<uint8_t> encode_gif(std::span<const Image> frames, const AnimationTiming& timing,
                                const std::string& comment = {});

// encode_gif() into a file that appears complete or not at all; IoError as for write_png().
void write_gif(const std::string& path, std::span<const Image> frames,
               const AnimationTiming& timing = {}, Overwrite overwrite = Overwrite::kRefuse,
               const std::string& comment = {});

// Metadata of a GIF.
struct GifInfo {
  int width = 0;
  int height = 0;
  int frames = 0;
  uint64_t file_bytes = 0;
  std::vector<std::string> comments;  // as stored: any bytes
};

// Reads all blocks without decoding pixels; `label` is a path as messages show it. FormatError when
// the file is cut or damaged, but for a missing end marker.
GifInfo read_gif_info(std::span<const uint8_t> file, const std::string& label);

// The first frame on its canvas, what it leaves free transparent: gray as 1 channel, color as 3,
// with transparency 4. FormatError when its data is cut or damaged, or the canvas is beyond the
// limits of image.h.
Image decode_gif(std::span<const uint8_t> file, const std::string& label);

// "GIF image, 58 x 58 pixels, 50 frames, 48112 bytes"
std::string describe(const GifInfo& info);

}  // namespace ebb
