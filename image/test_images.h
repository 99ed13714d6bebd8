#pragma once

#include <string>
#include <vector>

#include "image/image.h"

namespace ebb {

// Images to edit that are free of other people's rights: scenes that look like photos, sketches in
// pencil, and a mask. Each is kTestImageSide x kTestImageSide, RGB, the same on every machine with
// the same cairo.
inline constexpr int kTestImageSide = 256;

std::vector<std::string> test_image_names();

// UsageError for a name that is not among them.
Image draw_test_image(const std::string& name);

}  // namespace ebb
