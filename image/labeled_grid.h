#pragma once

#include <span>
#include <string>
#include <vector>

#include "image/image.h"

namespace ebb {

// Text around a grid; every part may be empty. Texts are UTF-8.
struct GridLabels {
  std::string title;
  std::vector<std::string> columns;  // above the columns
  std::vector<std::string> rows;     // left of the rows
};

// Images of equal size in rows of `columns`, each enlarged `scale` times, dark text on white.
// For figures that explain themselves: clean / noisy / denoised rows, a sweep over sigma.
Image make_labeled_grid(std::span<const Image> images, int columns, const GridLabels& labels,
                        int scale = 1);

}  // namespace ebb
