#pragma once

#include "diffusion/picture/image.h"

namespace ebb {

// One channel: ITU-R 601-2 luma in Pillow's integers, (19595 R + 38470 G + 7471 B + 32768) / 65536
// rounded down. Alpha is ignored.
Image to_grey(const Image& image);

// RGBA over a grey `background`, rounded to nearest: RGB. Other pictures unchanged.
Image composite(const Image& image, uint8_t background);

// Black becomes white; alpha stays.
Image invert(const Image& image);

// Grey (1) or RGB (3) of a picture without alpha.
Image to_channels(const Image& image, int channels);

}  // namespace ebb
