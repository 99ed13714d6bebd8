#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/output_file.h"
#include "image/image.h"

namespace ebb {

// Rounded to the 10 ms that GIF counts in, and at least 20 ms: browsers slow faster frames down.
struct GifTiming {
  int frame_ms = 50;
  int last_frame_ms = 1500;  // the result rests before the animation starts again
};

// An endless animation of frames of equal size, with `comment` (ASCII, may be empty) in it. Gray
// frames are exact; color frames are exact up to 256 colors each and reduced to the 256 of a
// median cut beyond. Transparency becomes white.
std::vector<uint8_t> encode_gif(std::span<const Image> frames, const GifTiming& timing,
                                const std::string& comment = {});

// encode_gif() into a file that appears complete or not at all; IoError as for write_png().
void write_gif(const std::string& path, std::span<const Image> frames, const GifTiming& timing = {},
               Overwrite overwrite = Overwrite::kRefuse, const std::string& comment = {});

// Metadata of a GIF.
struct GifInfo {
  int width = 0;
  int height = 0;
  int frames = 0;
  uint64_t file_bytes = 0;
  std::vector<std::string> comments;  // as stored: any bytes
};

// Reads all blocks without decoding pixels. FormatError when the file is cut or damaged,
// IoError when it cannot be read.
GifInfo read_gif_info(const std::string& path);

// "GIF image, 58 x 58 pixels, 50 frames, 48112 bytes"
std::string describe(const GifInfo& info);

}  // namespace ebb
