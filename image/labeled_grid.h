#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "image/image.h"

namespace ebb {

// Text around a grid; every part may be empty. Texts are UTF-8.
struct GridLabels {
  std::string title;
  std::vector<std::string> columns;     // above the columns
  std::vector<std::string> rows;        // left of the rows
  std::vector<std::string> cells = {};  // below the images, smaller
  int group = 0;  // columns that belong together, set off from the next; 0: all
};

// Scale at which an image with so many pixels on its longer side can be looked at in a figure.
constexpr int figure_scale(int64_t side) {
  constexpr int64_t kGoal = 112;  // pixels
  return static_cast<int>(side < kGoal ? kGoal / side : 1);
}

// Images of equal size in rows of `columns`, each enlarged `scale` times, dark text on white.
// For figures that explain themselves: clean / noisy / denoised rows, a sweep over sigma.
// UsageError when the figure would be larger than the readers take.
Image make_labeled_grid(std::span<const Image> images, int columns, const GridLabels& labels,
                        int scale = 1);

// The size of that figure for images of `image`, known before they are: of the labels only the
// widest of the rows, of the columns and of the cells matter.
PixelSize labeled_grid_size(PixelSize image, uint64_t columns, uint64_t rows,
                            const GridLabels& labels, int scale);

// UsageError that says what to do unless ebb could read an image of this size again. `what`:
// "--grid".
void check_figure_size(const std::string& what, PixelSize size);

}  // namespace ebb
