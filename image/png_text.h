#pragma once

#include "image/png.h"
#include "image/png_container.h"

namespace ebb {

// Appends the tEXt and iTXt chunks to info.text as UTF-8 and the keywords of zTXt and compressed
// iTXt chunks to info.compressed_text. A chunk that breaks its own layout becomes a warning.
void parse_png_text(const PngContainer& png, PngInfo& info);

}  // namespace ebb
