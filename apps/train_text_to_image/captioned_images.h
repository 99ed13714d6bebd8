#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "image/image.h"

namespace ebb {

// Images with captions: DIR/captions.jsonl has a line {"file": "a.png", "captions": ["...", ...]}
// for each, paths relative to DIR.
struct CaptionedImages {
  std::vector<Image> images;                   // side x side, RGB or RGBA
  std::vector<std::vector<int32_t>> captions;  // of each image: indices of texts
  std::vector<std::string> texts;              // distinct; texts[0] is empty: no caption
  std::string fingerprint;                     // of everything above

  int64_t count() const { return static_cast<int64_t>(images.size()); }
};

// Images of another size are shrunk or enlarged until the shorter side fits, and their middle is
// kept. IoError where a file cannot be read, FormatError that names the line of captions.jsonl.
CaptionedImages load_captioned_images(const std::string& directory, int side);

}  // namespace ebb
