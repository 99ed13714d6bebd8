#pragma once

#include <cstdint>
#include <span>

#include "image/image.h"

namespace ebb {

// The camera's orientation: 1 upright to 8, tag 0x0112 of the first directory of a TIFF structure
// (EXIF 2.32, 4.6.5). 1 if the block is damaged or lacks the tag: bad metadata is no reason to
// reject an image.
int exif_orientation(std::span<const uint8_t> tiff);

// The image as it is meant to be seen, for an orientation 1..8 of the stored one.
Image turn_upright(const Image& image, int orientation);

}  // namespace ebb
