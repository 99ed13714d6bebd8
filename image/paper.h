#pragma once

#include "image/image.h"

namespace ebb {

// The photo of a drawing on light paper, gray or RGB, without the light that fell on it: every
// channel divided by the brightness of the paper at that place, so that the paper is white
// everywhere, be it cream, in shadow or lit from one side. Shrunk by a whole number to at most
// kPaperSide pixels a side. Brightness is what a morphological closing leaves: dark things narrower
// than a fifth of the image count as drawn, wider ones as shadow.
inline constexpr int kPaperSide = 1000;
Image flatten_paper(const Image& photo);

// The part that is darker, of all that stands out from the levels around it: near 1 for pencil on
// paper, near 0 for chalk on a board, whatever the light. 0.5 when nothing does.
double dark_share(const Image& photo);

}  // namespace ebb
