#pragma once

#include <optional>
#include <string>

#include "apps/cli/provenance.h"

namespace ebb {

// The comment that a GIF carries: "ebb " and provenance_json().
std::string gif_comment(const Provenance& provenance);

// What an image file is and how it was made.
struct ImageFile {
  std::string description;  // "PNG image, 28 x 28 pixels, ..."
  bool animation = false;
  std::optional<Provenance> provenance;
};

// Reads a PNG or GIF; of a JPEG, which ebb never writes, the description. FormatError for other
// files and damaged ones; the pixels are not decoded.
ImageFile read_image_file(const std::string& path);

}  // namespace ebb
