#include "image/plot_image.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <limits>

#include "base/error.h"
#include "image/canvas.h"
#include "image/plot_axis.h"
#include "image/plot_data.h"

namespace ebb {
namespace {

constexpr double kFontSize = 17;
constexpr double kTitleSize = 22;
constexpr double kNoteSize = 15;
constexpr double kGap = 14;  // pixels between texts, axes and edges
constexpr Color kInk = {0.15, 0.15, 0.17};
constexpr Color kFaintInk = {0.42, 0.42, 0.45};
constexpr Color kMajorLine = {0.84, 0.84, 0.86};
constexpr Color kMinorLine = {0.94, 0.94, 0.95};
// Okabe and Ito, "Color Universal Design" (2008): told apart with any color vision.
constexpr std::array<Color, 6> kSeriesColors = {{{0.00, 0.45, 0.70},
                                                 {0.84, 0.37, 0.00},
                                                 {0.00, 0.62, 0.45},
                                                 {0.80, 0.47, 0.65},
                                                 {0.90, 0.62, 0.00},
                                                 {0.34, 0.71, 0.91}}};
constexpr double kRawAlpha = 0.28;
constexpr size_t kMaxMarkers = 40;  // curves of so few points show them

Color series_color(size_t index) { return kSeriesColors[index % kSeriesColors.size()]; }

struct Range {
  double low = std::numeric_limits<double>::infinity();
  double high = -std::numeric_limits<double>::infinity();

  bool empty() const { return low > high; }
  void include(double value) {
    low = std::min(low, value);
    high = std::max(high, value);
  }
};

// The plotting area in pixels and the data ranges that it shows.
struct Frame {
  double left = 0, top = 0, right = 0, bottom = 0;
  Range x, y;

  double pixel_x(double value) const {
    return left + (value - x.low) / (x.high - x.low) * (right - left);
  }
  double pixel_y(double value) const {
    return bottom - std::log(value / y.low) / std::log(y.high / y.low) * (bottom - top);
  }
};

void find_ranges(const LossPlot& plot, Frame& frame) {
  for (const PlotSeries& series : plot.series) {
    EBB_CHECK(series.x.size() == series.y.size(), Error, "plot: series ", series.label, " has ",
              series.x.size(), " x and ", series.y.size(), " y values");
    for (size_t i = 0; i < series.x.size(); ++i) {
      if (!is_drawable(series.y[i])) continue;
      frame.x.include(series.x[i]);
      frame.y.include(series.y[i]);
    }
  }
  if (frame.x.empty()) return;
  if (frame.x.low == frame.x.high) frame.x = {frame.x.low - 1, frame.x.high + 1};
  const double margin = std::max(1.05, std::pow(frame.y.high / frame.y.low, 0.04));
  frame.y = {frame.y.low / margin, frame.y.high * margin};
}

void draw_line(Canvas& canvas, double x0, double y0, double x1, double y1, double width = 1) {
  cairo_t* cr = canvas.context();
  cairo_set_line_width(cr, width);
  cairo_move_to(cr, x0, y0);
  cairo_line_to(cr, x1, y1);
  cairo_stroke(cr);
}

// Lines of one pixel are sharp only on pixel centers.
double sharp(double position) { return std::floor(position) + 0.5; }

void draw_axes(Canvas& canvas, const LossPlot& plot, const Frame& frame,
               const std::vector<Tick>& x_ticks, const std::vector<Tick>& y_ticks) {
  canvas.set_font(kFontSize);
  for (const bool major : {false, true}) {
    for (const Tick& tick : y_ticks) {
      if (tick.label.empty() == major) continue;
      const double y = sharp(frame.pixel_y(tick.value));
      canvas.set_color(major ? kMajorLine : kMinorLine);
      draw_line(canvas, frame.left, y, frame.right, y);
      canvas.set_color(kInk);
      canvas.draw_text(tick.label, frame.left - kGap * 0.6, y, Anchor::kRight);
    }
  }
  for (const Tick& tick : x_ticks) {
    const double x = sharp(frame.pixel_x(tick.value));
    canvas.set_color(kMajorLine);
    draw_line(canvas, x, frame.top, x, frame.bottom);
    canvas.set_color(kInk);
    canvas.draw_text(tick.label, x, frame.bottom + kGap * 1.1, Anchor::kCenter);
  }
  canvas.set_color(kFaintInk);
  draw_line(canvas, sharp(frame.left), frame.top, sharp(frame.left), frame.bottom);
  draw_line(canvas, frame.left, sharp(frame.bottom), frame.right, sharp(frame.bottom));
  canvas.set_color(kInk);
  canvas.draw_text(plot.x_label, (frame.left + frame.right) / 2,
                   frame.bottom + kGap * 1.6 + kFontSize, Anchor::kCenter);
  canvas.draw_vertical_text(plot.y_label, kGap + kFontSize / 2, (frame.top + frame.bottom) / 2);
}

// A long curve is drawn as the lowest and highest value of each pixel column, which looks the same.
void draw_curve(Canvas& canvas, const Frame& frame, const std::vector<double>& x,
                const std::vector<double>& y) {
  cairo_t* cr = canvas.context();
  bool pen_down = false;
  for (size_t begin = 0; begin < x.size();) {
    if (!is_drawable(y[begin])) {
      pen_down = false;
      ++begin;
      continue;
    }
    const double column = std::floor(frame.pixel_x(x[begin]));
    size_t lowest = begin, highest = begin, end = begin;
    for (; end < x.size() && is_drawable(y[end]); ++end) {
      if (std::floor(frame.pixel_x(x[end])) != column) break;
      if (y[end] < y[lowest]) lowest = end;
      if (y[end] > y[highest]) highest = end;
    }
    for (const size_t i : {std::min(lowest, highest), std::max(lowest, highest)}) {
      const double px = frame.pixel_x(x[i]), py = frame.pixel_y(y[i]);
      pen_down ? cairo_line_to(cr, px, py) : cairo_move_to(cr, px, py);
      pen_down = true;
    }
    begin = end;
  }
  cairo_stroke(cr);
}

void draw_markers(Canvas& canvas, const Frame& frame, const PlotSeries& series) {
  constexpr double kRadius = 4;
  constexpr double kFullTurn = 6.283185307179586;
  for (size_t i = 0; i < series.x.size(); ++i) {
    if (!is_drawable(series.y[i])) continue;
    cairo_arc(canvas.context(), frame.pixel_x(series.x[i]), frame.pixel_y(series.y[i]), kRadius, 0,
              kFullTurn);
    cairo_fill(canvas.context());
  }
}

// The values of curves that are smoothed, as a light background.
void draw_raw_values(Canvas& canvas, const Frame& frame, const PlotSeries& series, Color color) {
  if (smoothing_window(series.y.size()) == 1) return;
  canvas.set_color(color, kRawAlpha);
  cairo_set_line_width(canvas.context(), 1.2);
  draw_curve(canvas, frame, series.x, series.y);
}

// Returns the last mean.
double draw_mean(Canvas& canvas, const Frame& frame, const PlotSeries& series, Color color) {
  const std::vector<double> mean = running_mean(series.y, smoothing_window(series.y.size()));
  canvas.set_color(color);
  cairo_set_line_width(canvas.context(), 2.6);
  draw_curve(canvas, frame, series.x, mean);
  if (series.x.size() <= kMaxMarkers) draw_markers(canvas, frame, series);
  const auto last = std::find_if(mean.rbegin(), mean.rend(), is_drawable);
  return last == mean.rend() ? std::numeric_limits<double>::quiet_NaN() : *last;
}

void draw_legend(Canvas& canvas, const Frame& frame, const std::vector<std::string>& entries) {
  constexpr double kSwatch = 34;
  canvas.set_font(kFontSize);
  double text_width = 0;
  for (const std::string& entry : entries) {
    text_width = std::max(text_width, canvas.text_width(entry));
  }
  const double line_height = kFontSize * 1.5;
  const double width = text_width + kSwatch + 3 * kGap;
  const double height = line_height * entries.size() + kGap;
  const double left = frame.right - width - kGap, top = frame.top + kGap;
  cairo_t* cr = canvas.context();
  cairo_rectangle(cr, sharp(left), sharp(top), std::floor(width), std::floor(height));
  canvas.set_color({1, 1, 1}, 0.9);
  cairo_fill_preserve(cr);
  canvas.set_color(kMajorLine);
  cairo_set_line_width(cr, 1);
  cairo_stroke(cr);
  for (size_t i = 0; i < entries.size(); ++i) {
    const double y = top + kGap / 2 + line_height * (i + 0.5);
    const Color color = series_color(i);
    canvas.set_color(color, kRawAlpha);
    draw_line(canvas, left + kGap, y, left + kGap + kSwatch, y, 9);
    canvas.set_color(color);
    draw_line(canvas, left + kGap, y, left + kGap + kSwatch, y, 2.6);
    canvas.set_color(kInk);
    canvas.draw_text(entries[i], left + 2 * kGap + kSwatch, y, Anchor::kLeft);
  }
}

std::string legend_entry(const PlotSeries& series, double last) {
  std::array<char, 32> value;
  std::snprintf(value.data(), value.size(), "%.3g", last);
  return std::isfinite(last) ? cat(series.label, "  (last ", value.data(), ")") : series.label;
}

// Draws everything but the title; the frame's ranges are known.
void draw_data(Canvas& canvas, const LossPlot& plot, Frame& frame) {
  const std::vector<Tick> y_ticks = log_ticks(frame.y.low, frame.y.high);
  const std::vector<Tick> x_ticks = linear_ticks(frame.x.low, frame.x.high, 8, plot.x_step);
  canvas.set_font(kFontSize);
  double label_width = 0;
  for (const Tick& tick : y_ticks) {
    label_width = std::max(label_width, canvas.text_width(tick.label));
  }
  frame.left = kGap * 2.4 + kFontSize + label_width;
  draw_axes(canvas, plot, frame, x_ticks, y_ticks);
  cairo_set_line_join(canvas.context(), CAIRO_LINE_JOIN_ROUND);
  for (size_t i = 0; i < plot.series.size(); ++i) {
    draw_raw_values(canvas, frame, plot.series[i], series_color(i));
  }
  std::vector<std::string> legend;
  for (size_t i = 0; i < plot.series.size(); ++i) {
    const double last = draw_mean(canvas, frame, plot.series[i], series_color(i));
    legend.push_back(legend_entry(plot.series[i], last));
  }
  draw_legend(canvas, frame, legend);
}

// Says what light and dark mean; nothing when no curve is smoothed.
std::string reading_note(const LossPlot& plot) {
  size_t points = 0;
  for (const PlotSeries& series : plot.series) points = std::max(points, series.y.size());
  const int window = smoothing_window(points);
  return window == 1 ? "" : cat("light: every value, dark: mean of ", window);
}

}  // namespace

Image draw_loss_plot(const LossPlot& plot, int width, int height) {
  Canvas canvas(width, height);
  Frame frame;
  frame.top = 2 * kGap + kTitleSize;
  frame.right = width - 2 * kGap;
  frame.bottom = height - 2 * kGap - 2 * kFontSize;
  find_ranges(plot, frame);
  if (frame.x.empty()) {
    canvas.set_font(kTitleSize);
    canvas.set_color(kFaintInk);
    canvas.draw_text("no data", width / 2.0, height / 2.0, Anchor::kCenter);
    frame.left = 2 * kGap;
  } else {
    draw_data(canvas, plot, frame);
  }
  canvas.set_font(kTitleSize, true);
  canvas.set_color(kInk);
  const double title_y = kGap + kTitleSize / 2;
  canvas.draw_text(plot.title, frame.left, title_y, Anchor::kLeft);
  canvas.set_font(kNoteSize);
  canvas.set_color(kFaintInk);
  canvas.draw_text(reading_note(plot), frame.right, title_y, Anchor::kRight);
  return canvas.image();
}

}  // namespace ebb
