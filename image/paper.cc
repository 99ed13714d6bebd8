#include "image/paper.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "image/convert.h"

namespace ebb {
namespace {

// The brightness of the paper is estimated on a coarse grid of this many cells along the longer
// side.
constexpr int kCells = 64;

struct Plane {
  int width = 0, height = 0;
  std::vector<float> values;  // [height][width]

  float at(int x, int y) const { return values[static_cast<size_t>(y) * width + x]; }
};

// Means over factor x factor pixels; what is left over at the right and the bottom is cut.
Image shrink(const Image& image, int factor) {
  if (factor == 1) return image;
  Image result = make_image(image.width / factor, image.height / factor, image.channels);
  const auto area = static_cast<uint32_t>(factor * factor);
  const size_t row_bytes = static_cast<size_t>(result.width) * image.channels;
  std::vector<uint32_t> sums(row_bytes);
  for (int y = 0; y < result.height; ++y) {
    std::fill(sums.begin(), sums.end(), area / 2);
    for (int dy = 0; dy < factor; ++dy) {
      const uint8_t* source = image.pixels.data() +
                              (static_cast<size_t>(y) * factor + dy) * image.width * image.channels;
      for (size_t x = 0; x < static_cast<size_t>(result.width); ++x) {
        for (int dx = 0; dx < factor; ++dx) {
          for (int c = 0; c < image.channels; ++c) sums[x * image.channels + c] += *source++;
        }
      }
    }
    for (size_t i = 0; i < row_bytes; ++i) {
      result.pixels[y * row_bytes + i] = static_cast<uint8_t>(sums[i] / area);
    }
  }
  return result;
}

// The level that a `share` of each cell's pixels do not exceed.
Plane level_of_cells(const Image& image, int channel, int cell, double share) {
  Plane plane{(image.width + cell - 1) / cell, (image.height + cell - 1) / cell, {}};
  std::vector<uint8_t> levels;
  for (int row = 0; row < plane.height; ++row) {
    for (int column = 0; column < plane.width; ++column) {
      levels.clear();
      for (int y = row * cell; y < std::min(image.height, (row + 1) * cell); ++y) {
        for (int x = column * cell; x < std::min(image.width, (column + 1) * cell); ++x) {
          levels.push_back(
              image.pixels[(static_cast<size_t>(y) * image.width + x) * image.channels + channel]);
        }
      }
      const auto level =
          levels.begin() + static_cast<int64_t>(static_cast<double>(levels.size()) * share);
      std::nth_element(levels.begin(), level, levels.end());
      plane.values.push_back(*level);
    }
  }
  return plane;
}

// `pick` of the values at most `reach` away in both directions, one axis after the other.
template <typename Pick>
Plane filter(const Plane& plane, int reach, Pick pick) {
  Plane result = plane;
  for (const bool along_rows : {true, false}) {
    const Plane source = result;
    const int length = along_rows ? plane.width : plane.height;
    for (int y = 0; y < plane.height; ++y) {
      for (int x = 0; x < plane.width; ++x) {
        const int middle = along_rows ? x : y;
        std::vector<float> window;
        for (int i = std::max(0, middle - reach); i <= std::min(length - 1, middle + reach); ++i) {
          window.push_back(along_rows ? source.at(i, y) : source.at(x, i));
        }
        result.values[static_cast<size_t>(y) * plane.width + x] = pick(window);
      }
    }
  }
  return result;
}

// With `margin` cells more on each side, of value 0; a negative margin cuts them off.
Plane pad(const Plane& plane, int margin) {
  Plane result{plane.width + 2 * margin, plane.height + 2 * margin, {}};
  for (int y = -margin; y < plane.height + margin; ++y) {
    for (int x = -margin; x < plane.width + margin; ++x) {
      const bool inside = x >= 0 && y >= 0 && x < plane.width && y < plane.height;
      result.values.push_back(inside ? plane.at(x, y) : 0);
    }
  }
  return result;
}

// Cells to each side that see past a stroke.
int reach_of(const Plane& cells) { return std::max(2, std::max(cells.width, cells.height) / 10); }

Plane paper_brightness(const Image& image, int channel, int cell) {
  // Strokes hardly lower this level, and noise moves it everywhere alike.
  const Plane light = level_of_cells(image, channel, cell, 0.8);
  const int reach = reach_of(light);
  const auto largest = [](const std::vector<float>& w) {
    return *std::max_element(w.begin(), w.end());
  };
  const auto smallest = [](const std::vector<float>& w) {
    return *std::min_element(w.begin(), w.end());
  };
  const auto mean = [](const std::vector<float>& w) {
    float sum = 0;
    for (const float value : w) sum += value;
    return sum / static_cast<float>(w.size());
  };
  // Beyond the border there has to be room for what the first filter moves there, else the paper
  // would be too bright along a dark border.
  const Plane closed = filter(filter(pad(light, reach), reach, largest), reach, smallest);
  return filter(pad(closed, -reach), 2, mean);
}

// The brightness at a pixel, between those of the cells around it.
float interpolate(const Plane& cells, int cell, int x, int y) {
  const auto place = [cell](int pixel, int count, int& low, int& high) {
    const float at = (static_cast<float>(pixel) + 0.5f) / static_cast<float>(cell) - 0.5f;
    low = std::clamp(static_cast<int>(std::floor(at)), 0, count - 1);
    high = std::min(low + 1, count - 1);
    return std::clamp(at - static_cast<float>(low), 0.0f, 1.0f);
  };
  int left, right, top, bottom;
  const float across = place(x, cells.width, left, right);
  const float down = place(y, cells.height, top, bottom);
  const float upper = cells.at(left, top) * (1 - across) + cells.at(right, top) * across;
  const float lower = cells.at(left, bottom) * (1 - across) + cells.at(right, bottom) * across;
  return upper * (1 - down) + lower * down;
}

Image shrink_to_work(const Image& photo) {
  EBB_CHECK(photo.channels != 4, ShapeError, "paper: image with alpha, expected gray or RGB");
  const int longer = std::max(photo.width, photo.height);
  const int shorter = std::min(photo.width, photo.height);
  return shrink(photo, std::min(shorter, (longer + kPaperSide - 1) / kPaperSide));
}

int cell_of(const Image& image) {
  return std::max(1, std::max(image.width, image.height) / kCells);
}

}  // namespace

Image flatten_paper(const Image& photo) {
  Image flat = shrink_to_work(photo);
  const int cell = cell_of(flat);
  for (int c = 0; c < flat.channels; ++c) {
    const Plane cells = paper_brightness(flat, c, cell);
    for (int y = 0; y < flat.height; ++y) {
      for (int x = 0; x < flat.width; ++x) {
        uint8_t& level = flat.pixels[(static_cast<size_t>(y) * flat.width + x) * flat.channels + c];
        const float paper = std::max(1.0f, interpolate(cells, cell, x, y));
        level = static_cast<uint8_t>(
            std::lround(std::min(255.0f, 255 * static_cast<float>(level) / paper)));
      }
    }
  }
  return flat;
}

double dark_share(const Image& photo) {
  constexpr double kGrain = 10;  // levels
  const Image gray = to_gray(shrink_to_work(photo));
  const int cell = cell_of(gray);
  const Plane medians = level_of_cells(gray, 0, cell, 0.5);
  const Plane around = filter(medians, reach_of(medians), [](std::vector<float> w) {
    const auto middle = w.begin() + static_cast<int64_t>(w.size() / 2);
    std::nth_element(w.begin(), middle, w.end());
    return *middle;
  });
  double dark = 0, light = 0;
  for (int y = 0; y < gray.height; ++y) {
    for (int x = 0; x < gray.width; ++x) {
      const double level = gray.pixels[static_cast<size_t>(y) * gray.width + x];
      const double above = level - interpolate(around, cell, x, y);
      dark += std::max(0.0, -above - kGrain);
      light += std::max(0.0, above - kGrain);
    }
  }
  return dark + light > 0 ? dark / (dark + light) : 0.5;
}

}  // namespace ebb
