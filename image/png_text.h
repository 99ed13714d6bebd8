#pragma once

#include <string>

#include "image/png.h"
#include "image/png_container.h"

namespace ebb {

// Appends the tEXt and iTXt chunks to info.text as UTF-8 and the keywords of zTXt and compressed
// iTXt chunks to info.compressed_text. FormatError for a chunk that breaks its own layout.
void parse_png_text(const PngContainer& png, const std::string& label, PngInfo& info);

}  // namespace ebb
