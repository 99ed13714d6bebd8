#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "image/canvas.h"

namespace ebb {

// Sizes in pixels that follow the size of the image: as designed from 800 x 500 on, smaller below.
struct PlotStyle {
  double font, title, note;
  double gap;  // between texts, axes and edges
};
PlotStyle plot_style(int width, int height);

// The look of curve `index`: a color, and after all colors are used a dash pattern.
Color series_color(size_t index);
void set_series_dash(Canvas& canvas, size_t index);
void clear_dash(Canvas& canvas);

inline constexpr double kRawAlpha = 0.28;  // of single values, behind their mean

// `text` with its middle left out, if that is what it takes to be no wider than `width` in the
// canvas's font.
std::string elided(const Canvas& canvas, const std::string& text, double width);

struct PlotBox {
  double left = 0, top = 0, right = 0, bottom = 0;
  bool holds(double x, double y) const {
    return x >= left && x <= right && y >= top && y <= bottom;
  }
};

// Names of the curves: in a corner of the plotting area when they leave most of it free, else in
// rows below it.
class PlotLegend {
 public:
  // entries: one per curve, in order. The plotting area is at most area_width x area_height.
  PlotLegend(const std::vector<std::string>& entries, const PlotStyle& style, double area_width,
             double area_height);

  // Pixels that it takes below the plotting area; 0 for a legend inside.
  double height_below() const { return inside_ ? 0 : height_; }
  double width() const { return width_; }
  double height() const { return height_; }
  // box: where a legend inside stands; (left, bottom): where the rows below begin.
  void draw(Canvas& canvas, const PlotBox& box, double left, double bottom) const;

 private:
  void draw_entry(Canvas& canvas, size_t index, double left, double y) const;

  std::vector<std::string> entries_;
  PlotStyle style_;
  bool inside_ = true;
  double width_ = 0, height_ = 0;  // of all
  double swatch_ = 0, line_height_ = 0, column_width_ = 0;
  size_t columns_ = 1;
  size_t named_ = 0;  // curves with a name; the last entry may say how many have none
};

}  // namespace ebb
