#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "image/image.h"

namespace ebb {

// The pixels that stb_image finds in a BMP, TGA or GIF (its first frame): 1 channel when every
// pixel is gray, else 3, with any transparency 4. stb_image takes missing bytes for zeros and
// trusts sizes, so the caller checks both before. FormatError when it gives up; `format` ("BMP") is
// for that message.
Image decode_with_stb(std::span<const uint8_t> file, const std::string& label, const char* format);

// Alpha that is zero everywhere was never set; it is dropped.
Image without_unused_alpha(const Image& image);

}  // namespace ebb
