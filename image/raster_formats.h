#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "image/image.h"

namespace ebb {

// The formats that store rows of pixels with little around them: BMP, TGA and Netpbm's PNM. All
// take the bytes of a file and its `label` (a path as messages show it). FormatError when pixels
// are missing, the size is beyond the limits of image.h or the kind is one that ebb does not read;
// the message names the kind. Bytes behind the pixels are ignored.

// Header fields of such a file.
struct RasterInfo {
  int width = 0;
  int height = 0;
  std::string pixels;  // "24-bit color", "8-bit gray"
};

// BMP of 1, 4, 8, 16, 24 and 32 bits a pixel, with a header of OS/2 or any of Windows, upright or
// top-down. Alpha counts unless all of it is zero.
RasterInfo read_bmp_info(std::span<const uint8_t> file, const std::string& label);
Image decode_bmp(std::span<const uint8_t> file, const std::string& label);

// TGA with and without run-length coding, gray, color or with a color map, in any of its four
// orientations. Alpha counts unless all of it is zero.
RasterInfo read_tga_info(std::span<const uint8_t> file, const std::string& label);
Image decode_tga(std::span<const uint8_t> file, const std::string& label);

// PBM, PGM and PPM, as text (P1 to P3) and binary (P4 to P6), of any largest value up to 65535,
// which becomes 255. The first image of a file that holds several.
RasterInfo read_pnm_info(std::span<const uint8_t> file, const std::string& label);
Image decode_pnm(std::span<const uint8_t> file, const std::string& label);

}  // namespace ebb
