#pragma once

#include "image/canvas.h"

namespace ebb {

// Shaded scenes with a bright subject before a dark ground, each shaped like a digit.
void draw_tower(Canvas& canvas);    // a bell tower at dusk: 1
void draw_snowman(Canvas& canvas);  // 8
void draw_swan(Canvas& canvas);     // 2

// The grain and the darker corners of a photo. The grain is a hash of the pixel's place.
Image develop(Image photo);

}  // namespace ebb
