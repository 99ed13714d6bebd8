#pragma once

#include <cstdint>
#include <span>

#include "image/image.h"

namespace ebb {

// Ranges of the changes that a training image gets, all uniform.
struct Augmentation {
  double max_shift = 0.06;  // of the side, in both directions
  double max_scale = 0.1;   // size 1 / (1 + max_scale) to 1 + max_scale
  double max_rotation = 8;  // degrees
  bool backgrounds = true;  // behind transparent pixels; false: white
};

// The image [side][side][3] in [-1, 1], of 256 levels: scaled, turned and moved about its middle,
// on a background where it is transparent. Half of the backgrounds are white, the others light and
// plain or of two colors that run into each other. Beyond an image without transparency its border
// goes on. Everything is a function of (seed, example); the image's side must be a multiple.
void augment(const Image& image, int side, const Augmentation& ranges, uint64_t seed,
             uint64_t example, std::span<float> to);

}  // namespace ebb
