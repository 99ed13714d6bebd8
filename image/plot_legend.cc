#include "image/plot_legend.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/error.h"
#include "base/text.h"
#include "base/utf8.h"

namespace ebb {
namespace {

constexpr Color kInk = {0.15, 0.15, 0.17};
constexpr Color kLine = {0.84, 0.84, 0.86};
// Okabe and Ito, "Color Universal Design" (2008): distinguishable with any color vision.
constexpr std::array<Color, 6> kSeriesColors = {{{0.00, 0.45, 0.70},
                                                 {0.84, 0.37, 0.00},
                                                 {0.00, 0.62, 0.45},
                                                 {0.80, 0.47, 0.65},
                                                 {0.90, 0.62, 0.00},
                                                 {0.34, 0.71, 0.91}}};
// Largest fraction of the plotting area that a legend inside it may cover.
constexpr double kMaxWidthInside = 0.55, kMaxHeightInside = 0.4;
constexpr double kMaxHeightBelow = 0.45;

// Lines of one pixel are sharp only on pixel centers.
double sharp(double position) { return std::floor(position) + 0.5; }

void draw_line(Canvas& canvas, double x0, double x1, double y, double width) {
  cairo_t* cr = canvas.context();
  cairo_set_line_width(cr, width);
  cairo_move_to(cr, x0, y);
  cairo_line_to(cr, x1, y);
  cairo_stroke(cr);
}

// Byte offsets at which the UTF-8 characters start, and of the end.
std::vector<size_t> character_starts(const std::string& text) {
  std::vector<size_t> starts;
  for (size_t at = 0; at < text.size();) {
    starts.push_back(at);
    at += std::max<size_t>(decode_utf8(std::string_view(text).substr(at)).bytes, 1);
  }
  starts.push_back(text.size());
  return starts;
}

}  // namespace

PlotStyle plot_style(int width, int height) {
  const double scale = std::clamp(std::min(width / 800.0, height / 500.0), 0.65, 1.0);
  return {.font = 17 * scale, .title = 22 * scale, .note = 15 * scale, .gap = 14 * scale};
}

Color series_color(size_t index) { return kSeriesColors[index % kSeriesColors.size()]; }

void set_series_dash(Canvas& canvas, size_t index) {
  constexpr std::array<std::array<double, 2>, 3> kDashes = {{{9, 5}, {3, 4}, {16, 4}}};
  const size_t round = index / kSeriesColors.size();
  if (round == 0) return clear_dash(canvas);
  const std::array<double, 2>& dash = kDashes[(round - 1) % kDashes.size()];
  cairo_set_dash(canvas.context(), dash.data(), static_cast<int>(dash.size()), 0);
}

void clear_dash(Canvas& canvas) { cairo_set_dash(canvas.context(), nullptr, 0, 0); }

std::string elided(const Canvas& canvas, const std::string& text, double width) {
  if (canvas.text_width(text) <= width) return text;
  const std::vector<size_t> starts = character_starts(text);
  for (size_t kept = starts.size() - 1; kept-- > 1;) {
    const size_t front = kept / 2, back = kept - front;
    const std::string shorter =
        cat(text.substr(0, starts[front]), "\u2026", text.substr(starts[starts.size() - 1 - back]));
    if (canvas.text_width(shorter) <= width) return shorter;
  }
  return "\u2026";
}

PlotLegend::PlotLegend(const std::vector<std::string>& entries, const PlotStyle& style,
                       double area_width, double area_height)
    : entries_(entries), style_(style), swatch_(2.4 * style.gap), named_(entries.size()) {
  Canvas ruler(1, 1);
  ruler.set_font(style.font);
  double text_width = 0;
  for (const std::string& entry : entries) {
    text_width = std::max(text_width, ruler.text_width(entry));
  }
  line_height_ = style.font * 1.5;
  column_width_ = text_width + swatch_ + 3 * style.gap;
  width_ = column_width_;
  height_ = line_height_ * static_cast<double>(entries.size()) + style.gap;
  inside_ = width_ + style.gap <= kMaxWidthInside * area_width &&
            height_ + style.gap <= kMaxHeightInside * area_height;
  if (inside_) return;

  column_width_ = std::min(column_width_, area_width);
  columns_ = static_cast<size_t>(area_width / column_width_);
  const auto most_rows =
      static_cast<size_t>(std::max(1.0, std::floor(kMaxHeightBelow * area_height / line_height_)));
  if (entries.size() > most_rows * columns_) {
    named_ = most_rows * columns_ - 1;
    entries_.resize(named_);
    entries_.push_back(cat("and ", entries.size() - named_, " more"));
  }
  const size_t rows = (entries_.size() + columns_ - 1) / columns_;
  height_ = line_height_ * static_cast<double>(rows) + style.gap / 2;
  for (std::string& entry : entries_) {
    entry = elided(ruler, entry, column_width_ - swatch_ - 2 * style.gap);
  }
}

void PlotLegend::draw_entry(Canvas& canvas, size_t index, double left, double y) const {
  if (index < named_) {
    const Color color = series_color(index);
    canvas.set_color(color, kRawAlpha);
    draw_line(canvas, left, left + swatch_, y, 9);
    canvas.set_color(color);
    set_series_dash(canvas, index);
    draw_line(canvas, left, left + swatch_, y, 2.6);
    clear_dash(canvas);
  }
  canvas.set_color(kInk);
  canvas.draw_text(entries_[index], left + style_.gap + swatch_, y, Anchor::kLeft);
}

void PlotLegend::draw(Canvas& canvas, const PlotBox& box, double left, double bottom) const {
  canvas.set_font(style_.font);
  const double gap = style_.gap;
  if (inside_) {
    cairo_t* cr = canvas.context();
    cairo_rectangle(cr, sharp(box.left), sharp(box.top), std::floor(width_), std::floor(height_));
    canvas.set_color({1, 1, 1}, 0.9);
    cairo_fill_preserve(cr);
    canvas.set_color(kLine);
    cairo_set_line_width(cr, 1);
    cairo_stroke(cr);
    for (size_t i = 0; i < entries_.size(); ++i) {
      const double y = box.top + gap / 2 + line_height_ * (static_cast<double>(i) + 0.5);
      draw_entry(canvas, i, box.left + gap, y);
    }
    return;
  }
  for (size_t i = 0; i < entries_.size(); ++i) {
    const size_t column = i % columns_, row = i / columns_;
    draw_entry(canvas, i, left + static_cast<double>(column) * column_width_ + gap / 2,
               bottom + line_height_ * (static_cast<double>(row) + 0.5));
  }
}

}  // namespace ebb
