#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "image/image.h"

namespace ebb {

// Names as captions have them: "an oil painting of a rocket".
inline constexpr std::array<std::string_view, 5> kEmojiStyles = {
    "photo", "oil painting", "lithograph", "pencil sketch", "pixel art"};

// Draws a square emoji with straight alpha in a style, side x side pixels: photo and pixel art keep
// their transparency, the others bring a ground of their own. The same arguments give the same
// bytes. variant: chooses the colors of the ground.
//   oil painting   Kuwahara's filter (Kuwahara et al. 1976) and the weave of a canvas
//   lithograph     gray in a halftone screen at 45 degrees, dark outlines, on paper
//   pencil sketch  outlines and hatching at two angles where it is dark
//   pixel art      16 x 16 pixels of 8 levels a channel
Image draw_in_style(const Image& emoji, std::string_view style, int side, uint64_t variant);

}  // namespace ebb
