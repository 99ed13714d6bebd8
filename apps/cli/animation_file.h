#pragma once

#include <span>
#include <string>

#include "apps/cli/provenance.h"
#include "base/output_file.h"
#include "image/animation.h"
#include "image/image.h"

namespace ebb {

// Animations are lossless WebP when their name ends in .webp, else GIF, which has 256 colors a
// frame.
bool is_webp_name(const std::string& path);

// UsageError, naming `flag`, when a file of this name cannot hold an animation of frames of this
// size, or ebb could not read it again.
void check_animation(const std::string& flag, const std::string& path, PixelSize frame);

// Writes the frames with what made them, unless that is null; IoError as for write_png().
void write_animation(const std::string& path, std::span<const Image> frames,
                     const Provenance* provenance, Overwrite overwrite,
                     const AnimationTiming& timing = {});

}  // namespace ebb
