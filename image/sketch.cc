#include "image/sketch.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "image/convert.h"
#include "image/paper.h"
#include "image/resize.h"

namespace ebb {
namespace {

// MNIST's digits fill 20 of 28 pixels.
constexpr double kInkShare = 20.0 / 28;
// Width of a thin stroke of MNIST as a part of those 20 pixels.
constexpr double kStrokeShare = 2.2 / 20;

// Darkness of each pixel, 0 for paper.
std::vector<uint8_t> darkness(const Image& flat) {
  constexpr int kSmoothedSide = 256;  // grain of smaller images is as wide as their strokes
  const Image gray = to_gray(flat);
  std::vector<uint8_t> dark(gray.pixels.size());
  const int reach = std::max(gray.width, gray.height) >= kSmoothedSide ? 1 : 0;
  for (int y = 0; y < gray.height; ++y) {
    for (int x = 0; x < gray.width; ++x) {
      int sum = 0, count = 0;
      for (int j = std::max(0, y - reach); j <= std::min(gray.height - 1, y + reach); ++j) {
        for (int i = std::max(0, x - reach); i <= std::min(gray.width - 1, x + reach); ++i) {
          sum += 255 - gray.pixels[static_cast<size_t>(j) * gray.width + i];
          ++count;
        }
      }
      dark[static_cast<size_t>(y) * gray.width + x] = static_cast<uint8_t>(sum / count);
    }
  }
  return dark;
}

double quantile(std::vector<uint8_t> levels, double share) {
  if (levels.empty()) return 0;
  const auto place =
      levels.begin() + static_cast<int64_t>(share * static_cast<double>(levels.size() - 1));
  std::nth_element(levels.begin(), place, levels.end());
  return *place;
}

// Levels of darkness.
struct Levels {
  double paper = 0;  // of most pixels
  double grain = 0;  // what the structure of the paper and noise do not exceed
  double peak = 0;   // of the darkest strokes
  double least = 0;  // of a stroke
};

// Paper and grain.
Levels find_levels(const std::vector<uint8_t>& dark) {
  constexpr double kFaintest = 8;  // levels
  Levels levels;
  levels.paper = quantile(dark, 0.5);
  std::vector<uint8_t> deviations;
  for (const uint8_t level : dark) {
    deviations.push_back(static_cast<uint8_t>(std::lround(std::abs(level - levels.paper))));
  }
  const double noise = 1.4826 * quantile(deviations, 0.5);  // as a normal distribution has it
  levels.grain = levels.paper + std::max(4 * noise, kFaintest);
  return levels;
}

// Connected pixels.
struct Component {
  std::vector<int64_t> pixels = {};
  double mass = 0;  // sum of darkness
  uint8_t darkest = 0;
  bool at_border = false;
  int left, top, right, bottom;  // inclusive

  int extent() const { return std::max(right - left, bottom - top) + 1; }
};

std::vector<Component> find_components(const std::vector<uint8_t>& dark, int width, int height,
                                       double least) {
  std::vector<bool> seen(dark.size(), false);
  std::vector<Component> components;
  for (size_t start = 0; start < dark.size(); ++start) {
    if (seen[start] || dark[start] < least) continue;
    Component component{.left = width, .top = height, .right = 0, .bottom = 0};
    component.pixels.push_back(static_cast<int64_t>(start));
    seen[start] = true;
    for (size_t next = 0; next < component.pixels.size(); ++next) {
      const int64_t pixel = component.pixels[next];
      const auto x = static_cast<int>(pixel % width), y = static_cast<int>(pixel / width);
      component.mass += dark[pixel];
      component.darkest = std::max(component.darkest, dark[pixel]);
      component.left = std::min(component.left, x);
      component.right = std::max(component.right, x);
      component.top = std::min(component.top, y);
      component.bottom = std::max(component.bottom, y);
      component.at_border |= x == 0 || y == 0 || x == width - 1 || y == height - 1;
      for (int j = std::max(0, y - 1); j <= std::min(height - 1, y + 1); ++j) {
        for (int i = std::max(0, x - 1); i <= std::min(width - 1, x + 1); ++i) {
          const int64_t neighbor = int64_t{j} * width + i;
          if (seen[neighbor] || dark[neighbor] < least) continue;
          seen[neighbor] = true;
          component.pixels.push_back(neighbor);
        }
      }
    }
    components.push_back(std::move(component));
  }
  return components;
}

// Drops what comes in from the edge, unless nothing of some size is elsewhere.
void drop_border(std::vector<Component>& components, int least_extent) {
  const bool has_inner = std::any_of(components.begin(), components.end(), [&](const auto& c) {
    return !c.at_border && c.extent() >= least_extent;
  });
  if (has_inner) std::erase_if(components, [](const Component& c) { return c.at_border; });
}

// Fills in the levels of strokes from what is darker than grain.
void find_stroke_levels(const std::vector<uint8_t>& dark, const std::vector<Component>& components,
                        Levels& levels) {
  std::vector<uint8_t> candidates;
  for (const Component& component : components) {
    for (const int64_t pixel : component.pixels) candidates.push_back(dark[pixel]);
  }
  levels.peak = quantile(candidates, 0.95);
  levels.least = std::max(levels.grain, levels.paper + 0.4 * (levels.peak - levels.paper));
}

// Drops faint and small ones.
void keep_strokes(std::vector<Component>& components, const Levels& levels) {
  constexpr double kDarkEnough = 0.65;                      // of the darkest
  constexpr double kLeastMass = 0.02, kLeastExtent = 0.05;  // of the largest
  const double dark = levels.paper + kDarkEnough * (levels.peak - levels.paper);
  std::erase_if(components, [&](const Component& c) { return c.darkest < dark; });
  double mass = 0, extent = 0;
  for (const Component& c : components) {
    mass = std::max(mass, c.mass);
    extent = std::max(extent, static_cast<double>(c.extent()));
  }
  std::erase_if(components, [&](const Component& c) {
    return c.mass < kLeastMass * mass || c.extent() < kLeastExtent * extent;
  });
}

// The strokes of a drawing; nothing when none of them is longer than specks of grain.
std::vector<Component> find_strokes(const std::vector<uint8_t>& dark, int width, int height,
                                    Levels& levels) {
  constexpr double kLeastPart = 0.04;  // of the shorter side
  const auto least_extent = static_cast<int>(std::ceil(kLeastPart * std::min(width, height)));
  std::vector<Component> components = find_components(dark, width, height, levels.grain);
  drop_border(components, least_extent);
  if (components.empty()) return {};
  find_stroke_levels(dark, components, levels);
  components = find_components(dark, width, height, levels.least);
  drop_border(components, least_extent);
  keep_strokes(components, levels);
  const bool any = std::any_of(components.begin(), components.end(),
                               [&](const Component& c) { return c.extent() >= least_extent; });
  return any ? components : std::vector<Component>();
}

// Mean width of the strokes of a black and white image, 255 where there is ink; pixels.
double mean_stroke_width(const Image& mask) {
  int64_t area = 0, edges = 0;
  const auto is_ink = [&](int x, int y) {
    return x >= 0 && y >= 0 && x < mask.width && y < mask.height &&
           mask.pixels[static_cast<size_t>(y) * mask.width + x] != 0;
  };
  for (int y = 0; y < mask.height; ++y) {
    for (int x = 0; x < mask.width; ++x) {
      if (!is_ink(x, y)) continue;
      ++area;
      edges += !is_ink(x - 1, y) + !is_ink(x + 1, y) + !is_ink(x, y - 1) + !is_ink(x, y + 1);
    }
  }
  // Edges of pixels overestimate a contour of any direction by 4 / pi on average.
  const double contour = static_cast<double>(edges) * std::numbers::pi / 4;
  return contour > 0 ? 2 * static_cast<double>(area) / contour : 0;
}

// Squared distances to the nearest of `values` plus its value, along one line (Felzenszwalb and
// Huttenlocher, "Distance Transforms of Sampled Functions", 2012).
std::vector<double> lower_envelope(const std::vector<double>& values) {
  const auto count = static_cast<int>(values.size());
  std::vector<int> roots;      // of the parabolas of the envelope
  std::vector<double> starts;  // where each begins
  for (int q = 0; q < count; ++q) {
    if (!std::isfinite(values[q])) continue;
    double start = -INFINITY;
    while (!roots.empty()) {
      const int r = roots.back();
      start = (values[q] + q * q - values[r] - r * r) / (2.0 * (q - r));
      if (start > starts.back()) break;
      roots.pop_back();
      starts.pop_back();
      start = -INFINITY;
    }
    roots.push_back(q);
    starts.push_back(start);
  }
  std::vector<double> distances(values.size(), INFINITY);
  if (roots.empty()) return distances;
  size_t k = 0;
  for (int q = 0; q < count; ++q) {
    while (k + 1 < roots.size() && starts[k + 1] < q) ++k;
    const double away = q - roots[k];
    distances[q] = away * away + values[roots[k]];
  }
  return distances;
}

// The ink grown by `radius` pixels in every direction, in an image that is as much larger.
Image thicken(const Image& mask, double radius) {
  const int margin = static_cast<int>(std::ceil(radius));
  Image result = make_image(mask.width + 2 * margin, mask.height + 2 * margin, 1);
  paste(mask, margin, margin, result);
  if (radius <= 0) return result;
  std::vector<double> squares(result.pixels.size());
  for (size_t i = 0; i < squares.size(); ++i) squares[i] = result.pixels[i] != 0 ? 0 : INFINITY;
  for (const bool along_rows : {true, false}) {
    const int lines = along_rows ? result.height : result.width;
    const int length = along_rows ? result.width : result.height;
    const auto index = [&](int line, int i) {
      return along_rows ? static_cast<size_t>(line) * length + i
                        : static_cast<size_t>(i) * lines + line;
    };
    std::vector<double> line_values(static_cast<size_t>(length));
    for (int line = 0; line < lines; ++line) {
      for (int i = 0; i < length; ++i) line_values[i] = squares[index(line, i)];
      line_values = lower_envelope(line_values);
      for (int i = 0; i < length; ++i) squares[index(line, i)] = line_values[i];
    }
  }
  for (size_t i = 0; i < squares.size(); ++i) {
    result.pixels[i] = squares[i] <= radius * radius ? 255 : 0;
  }
  return result;
}

// First of `full` pixels for a part of `size` so that their center of mass is in the middle of
// `full`, inside of it.
int centered(double mass, int size, int full) {
  return std::clamp(static_cast<int>(std::lround(full / 2.0 - mass)), 0, std::max(0, full - size));
}

Image cut(const Image& image, int left, int top, int width, int height, uint8_t outside) {
  Image result = make_image(width, height, image.channels, outside);
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      const int from_x = left + x, from_y = top + y;
      if (from_x < 0 || from_y < 0 || from_x >= image.width || from_y >= image.height) continue;
      std::copy_n(image.pixels.data() +
                      (static_cast<size_t>(from_y) * image.width + from_x) * image.channels,
                  image.channels,
                  result.pixels.data() + (static_cast<size_t>(y) * width + x) * image.channels);
    }
  }
  return result;
}

}  // namespace

std::optional<Sketch> Sketch::find(const Image& photo) {
  Sketch sketch;
  sketch.flat_ = flatten_paper(photo);
  const int width = sketch.flat_.width, height = sketch.flat_.height;
  const std::vector<uint8_t> dark = darkness(sketch.flat_);
  Levels levels = find_levels(dark);
  const std::vector<Component> components = find_strokes(dark, width, height, levels);
  if (components.empty()) return std::nullopt;

  sketch.ink_.assign(dark.size(), 0);
  sketch.box_ = {width, height, 0, 0};
  for (const Component& component : components) {
    for (const int64_t pixel : component.pixels) {
      const double level = 255 * (dark[pixel] - levels.paper) / (levels.peak - levels.paper);
      sketch.ink_[pixel] = static_cast<uint8_t>(std::lround(std::clamp(level, 1.0, 255.0)));
      const auto x = static_cast<int>(pixel % width), y = static_cast<int>(pixel / width);
      sketch.box_ = {std::min(sketch.box_.left, x), std::min(sketch.box_.top, y),
                     std::max(sketch.box_.right, x + 1), std::max(sketch.box_.bottom, y + 1)};
    }
  }
  constexpr double kLeastContrast = 14, kMaxInk = 0.3, kMaxDarkBorder = 0.1;
  int64_t ink = 0, border = 0, dark_border = 0;
  for (int64_t i = 0; i < int64_t{width} * height; ++i) {
    ink += dark[i] >= levels.least;
    const auto x = static_cast<int>(i % width), y = static_cast<int>(i / width);
    if (x != 0 && y != 0 && x != width - 1 && y != height - 1) continue;
    ++border;
    dark_border += dark[i] >= levels.least;
  }
  constexpr double kLeastDarkShare = 0.6;
  sketch.is_line_drawing_ =
      dark_share(photo) >= kLeastDarkShare && levels.peak - levels.paper >= kLeastContrast &&
      static_cast<double>(ink) <= kMaxInk * width * height &&
      static_cast<double>(dark_border) <= kMaxDarkBorder * static_cast<double>(border);
  return sketch;
}

Image Sketch::strokes(int width, int height) const {
  constexpr int kFineSide = 160;  // of the box of the ink; smaller drawings are enlarged
  constexpr uint8_t kHalf = 115;  // of an enlarged stroke's level
  Image ink = make_image(box_.width(), box_.height(), 1);
  for (int y = 0; y < ink.height; ++y) {
    const auto* row = ink_.data() + static_cast<size_t>(box_.top + y) * flat_.width + box_.left;
    std::copy_n(row, ink.width, ink.pixels.data() + static_cast<size_t>(y) * ink.width);
  }
  const int longer = std::max(ink.width, ink.height);
  if (longer < kFineSide) {
    const int factor = (kFineSide + longer - 1) / longer;
    ink = resize_bicubic(ink, ink.width * factor, ink.height * factor);
    for (uint8_t& level : ink.pixels) level = level >= kHalf ? 255 : 0;
  }
  for (uint8_t& level : ink.pixels) level = level > 0 ? 255 : 0;
  // (width + 2 r) / (side + 2 r) = kStrokeShare
  const double side = std::max(ink.width, ink.height);
  const double radius =
      std::max(0.0, (kStrokeShare * side - mean_stroke_width(ink)) / 2 / (1 - kStrokeShare));
  const Image bold = thicken(ink, radius);
  const double scale = kInkShare * std::min(width, height) / std::max(bold.width, bold.height);
  const auto scaled = [&](int pixels) {
    return std::max(1, static_cast<int>(std::lround(pixels * scale)));
  };
  const Image small = resize_bicubic(bold, scaled(bold.width), scaled(bold.height));
  double mass = 0, mass_x = 0, mass_y = 0;
  for (int y = 0; y < small.height; ++y) {
    for (int x = 0; x < small.width; ++x) {
      const double level = small.pixels[static_cast<size_t>(y) * small.width + x];
      mass += level;
      mass_x += level * (x + 0.5);
      mass_y += level * (y + 0.5);
    }
  }
  Image result = make_image(width, height, 1);
  paste(small, centered(mass_x / mass, small.width, width),
        centered(mass_y / mass, small.height, height), result);
  return result;
}

Image Sketch::drawing(int width, int height) const {
  // The smallest part of the target's proportions that leaves the margin around the ink.
  const double scale =
      std::max(box_.width() / (kInkShare * width), box_.height() / (kInkShare * height));
  const int part_width = std::max(1, static_cast<int>(std::lround(scale * width)));
  const int part_height = std::max(1, static_cast<int>(std::lround(scale * height)));
  const int left = (box_.left + box_.right - part_width) / 2;
  const int top = (box_.top + box_.bottom - part_height) / 2;
  return resize_bicubic(cut(flat_, left, top, part_width, part_height, 255), width, height);
}

}  // namespace ebb
