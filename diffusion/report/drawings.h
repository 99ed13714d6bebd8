#pragma once

#include <string>
#include <vector>

#include "diffusion/picture/image.h"

namespace ebb {

// Pictures to edit that belong to nobody else: scenes that look like photos, sketches in pencil,
// and a mask. Each is kDrawingSide x kDrawingSide, RGB, the same on every machine with the same
// cairo.
inline constexpr int kDrawingSide = 256;

std::vector<std::string> drawing_names();

// UsageError for a name that is not among them.
Image draw_picture(const std::string& name);

}  // namespace ebb
