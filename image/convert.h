#pragma once

#include "image/image.h"

namespace ebb {

// One channel: ITU-R 601-2 luma in Pillow's integers, (19595 R + 38470 G + 7471 B + 32768) / 65536
// rounded down. Alpha is ignored.
Image to_gray(const Image& image);

// RGBA over a gray `background`, rounded to nearest: RGB. Other images unchanged.
Image composite(const Image& image, uint8_t background);

// Black becomes white; alpha stays.
Image invert(const Image& image);

// Gray (1) or RGB (3) of an image without alpha.
Image to_channels(const Image& image, int channels);

}  // namespace ebb
