#pragma once

#include <optional>
#include <string>

#include "diffusion/program/provenance.h"

namespace ebb {

// The comment that a GIF carries: "ebb " and provenance_json().
std::string gif_comment(const Provenance& provenance);

// What a picture file is and how it was made.
struct PictureFile {
  std::string description;  // "PNG picture, 28 x 28 pixels, ..."
  bool animation = false;
  std::optional<Provenance> provenance;
};

// Reads a PNG or GIF; of a JPEG, which ebb never writes, the description. FormatError for other
// files and damaged ones; the pixels are not decoded.
PictureFile read_picture_file(const std::string& path);

}  // namespace ebb
