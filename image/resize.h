#pragma once

#include "image/image.h"

namespace ebb {

// Scales to width x height with the cubic kernel of a = -1/2, widened when it shrinks so that
// nothing aliases: byte for byte what Image.resize((width, height), BICUBIC) of Pillow 13 makes of
// gray and RGB, with 8 bits between the two passes, coefficients rounded to 22 binary places, and
// columns first unless the height shrinks by more than twice as many pixels as the width.
// ShapeError for an image with alpha; composite() it first.
Image resize_bicubic(const Image& image, int width, int height);

// Every pixel becomes the nearest one of `image`, as with Pillow's NEAREST.
Image resize_nearest(const Image& image, int width, int height);

// Shrinks or enlarges so that the shorter side fits, then keeps the middle: torchvision's
// Resize(side) and CenterCrop(side), here for any width and height.
Image resize_and_crop(const Image& image, int width, int height);

}  // namespace ebb
