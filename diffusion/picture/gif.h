#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "diffusion/output_file.h"
#include "diffusion/picture/image.h"

namespace ebb {

// Rounded to the 10 ms that GIF counts in, and at least 20 ms: browsers slow faster frames down.
struct GifTiming {
  int frame_ms = 50;
  int last_frame_ms = 1500;  // the result rests before the animation starts again
};

// An endless animation of frames of equal size. Grey frames are exact; colour frames are exact up
// to 256 colours each and reduced to the 256 of a median cut beyond. Transparency becomes white.
std::vector<uint8_t> encode_gif(std::span<const Image> frames, const GifTiming& timing);

// encode_gif() into a file that appears complete or not at all; IoError as for write_png().
void write_gif(const std::string& path, std::span<const Image> frames, const GifTiming& timing = {},
               Overwrite overwrite = Overwrite::kRefuse);

}  // namespace ebb
