#pragma once

#include <optional>
#include <string>
#include <vector>

#include "apps/cli/image_bytes.h"
#include "apps/cli/provenance.h"

namespace ebb {

// The comment that a GIF carries: "ebb " and provenance_json().
std::string gif_comment(const Provenance& provenance);

// The XMP packet that a WebP carries: provenance_json() in one property.
std::string webp_packet(const Provenance& provenance);

// The bytes of an animation that ebb wrote without the text of how it was made: the same for the
// same frames.
std::vector<uint8_t> bytes_without_provenance(const ImageBytes& file);

// An image file: its format and how it was made.
struct ImageFile {
  std::string description;  // "PNG image, 28 x 28 pixels, ..."
  bool animation = false;
  std::optional<Provenance> provenance;
};

// For kinds that ebb does not write, only the description. Throws FormatError for damaged files and
// files that are not images; pixels are not decoded.
ImageFile read_image_file(const ImageBytes& file);
ImageFile read_image_file(const std::string& path);

}  // namespace ebb
