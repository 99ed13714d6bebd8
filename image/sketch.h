#pragma once

#include <optional>
#include <vector>

#include "image/image.h"

namespace ebb {

// A drawing on light paper, found in a photo or scan of it.
class Sketch {
 public:
  // Looks for strokes that are darker than the paper around them, gray or RGB. Grain and dust are
  // left out, and what comes in from the edge of the photo, unless nothing else is there. Nothing
  // when there are no strokes.
  static std::optional<Sketch> find(const Image& photo);

  // Whether this is a line drawing with paper around it, and no photo that happens to have a light
  // border.
  bool is_line_drawing() const { return is_line_drawing_; }

  // Light strokes on black as MNIST has its digits (LeCun et al. 1998, section III.A): the ink at
  // full contrast, at least about two pixels wide, in the middle 20 of 28 pixels with its
  // proportions kept, its center of mass in the middle of the image.
  Image strokes(int width, int height) const;

  // The flattened drawing with its colors, dark on white: cropped to the ink and a margin, the
  // proportions kept. RGB or gray as the photo.
  Image drawing(int width, int height) const;

 private:
  struct Box {
    int left, top, right, bottom;  // right and bottom exclusive
    int width() const { return right - left; }
    int height() const { return bottom - top; }
  };

  Image flat_;                // flatten_paper()
  std::vector<uint8_t> ink_;  // [height][width] of flat_: darkness of the strokes, 255 the darkest
  Box box_ = {};              // of the ink
  bool is_line_drawing_ = false;
};

}  // namespace ebb
