#include "image/plot_image.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <limits>
#include <utility>

#include "base/error.h"
#include "image/canvas.h"
#include "image/plot_axis.h"
#include "image/plot_data.h"
#include "image/plot_legend.h"

namespace ebb {
namespace {

constexpr Color kInk = {0.15, 0.15, 0.17};
constexpr Color kFaintInk = {0.42, 0.42, 0.45};
constexpr Color kMajorLine = {0.84, 0.84, 0.86};
constexpr Color kMinorLine = {0.94, 0.94, 0.95};
constexpr size_t kMaxMarkers = 40;  // curves of so few points show them

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
  PlotStyle style;
  double left = 0, top = 0, right = 0, bottom = 0;
  Range x, y;
  double zero = 0;        // the y at which 0 is drawn; 0: nowhere
  bool is_one_x = false;  // all points are at one x

  double pixel_x(double value) const {
    return left + (value - x.low) / (x.high - x.low) * (right - left);
  }
  double pixel_y(double value) const {
    return bottom - std::log(value / y.low) / std::log(y.high / y.low) * (bottom - top);
  }
};

// Gives zeros the y below all others that is returned; 0 when there are none.
double place_zeros(LossPlot& plot) {
  constexpr double kBelow = 2.5;  // so far that its label has room
  Range others;
  bool any = false;
  for (const PlotSeries& series : plot.series) {
    for (const double y : series.y) {
      if (is_drawable(y)) others.include(y);
      any = any || y == 0;
    }
  }
  if (!any) return 0;
  const double zero = (others.empty() ? 1 : others.low) / kBelow;
  for (PlotSeries& series : plot.series) std::replace(series.y.begin(), series.y.end(), 0.0, zero);
  return zero;
}

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
  frame.is_one_x = frame.x.low == frame.x.high;
  if (frame.is_one_x) frame.x = {frame.x.low - 1, frame.x.high + 1};
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

// Labels of the vertical axis; one that would touch the last is left out.
void draw_y_ticks(Canvas& canvas, const Frame& frame, const std::vector<Tick>& ticks) {
  for (const bool major : {false, true}) {
    double last = std::numeric_limits<double>::infinity();
    for (const Tick& tick : ticks) {
      if (tick.label.empty() == major) continue;
      const double y = sharp(frame.pixel_y(tick.value));
      canvas.set_color(major ? kMajorLine : kMinorLine);
      draw_line(canvas, frame.left, y, frame.right, y);
      if (!major || last - y < frame.style.font * 1.1) continue;
      last = y;
      canvas.set_color(kInk);
      canvas.draw_text(tick.label, frame.left - frame.style.gap * 0.6, y, Anchor::kRight);
    }
  }
}

void draw_axes(Canvas& canvas, const LossPlot& plot, const Frame& frame,
               const std::vector<Tick>& x_ticks, const std::vector<Tick>& y_ticks) {
  const double gap = frame.style.gap, font = frame.style.font;
  canvas.set_font(font);
  draw_y_ticks(canvas, frame, y_ticks);
  for (const Tick& tick : x_ticks) {
    const double x = sharp(frame.pixel_x(tick.value));
    canvas.set_color(kMajorLine);
    draw_line(canvas, x, frame.top, x, frame.bottom);
    canvas.set_color(kInk);
    canvas.draw_text(tick.label, x, frame.bottom + gap * 1.1, Anchor::kCenter);
  }
  canvas.set_color(kFaintInk);
  draw_line(canvas, sharp(frame.left), frame.top, sharp(frame.left), frame.bottom);
  draw_line(canvas, frame.left, sharp(frame.bottom), frame.right, sharp(frame.bottom));
  canvas.set_color(kInk);
  canvas.draw_text(plot.x_label, (frame.left + frame.right) / 2, frame.bottom + gap * 1.6 + font,
                   Anchor::kCenter);
  canvas.draw_vertical_text(plot.y_label, gap + font / 2, (frame.top + frame.bottom) / 2);
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

using Means = std::vector<std::vector<double>>;  // [curve][point]

void draw_mean(Canvas& canvas, const Frame& frame, const PlotSeries& series,
               const std::vector<double>& mean, size_t index) {
  canvas.set_color(series_color(index));
  cairo_set_line_width(canvas.context(), 2.6);
  set_series_dash(canvas, index);
  draw_curve(canvas, frame, series.x, mean);
  clear_dash(canvas);
  if (series.x.size() <= kMaxMarkers) draw_markers(canvas, frame, series);
}

// The name and the last mean.
std::string legend_entry(const PlotSeries& series, const std::vector<double>& mean, double zero) {
  const auto last = std::find_if(mean.rbegin(), mean.rend(), is_drawable);
  if (last == mean.rend()) return series.label;
  if (*last == zero) return series.label + "  (last 0)";
  std::array<char, 32> value;
  std::snprintf(value.data(), value.size(), "%.3g", *last);
  return cat(series.label, "  (last ", value.data(), ")");
}

// As many labels as fit.
std::vector<Tick> x_ticks_of(const Canvas& canvas, const LossPlot& plot, const Frame& frame) {
  constexpr double kMaxLabels = 8;
  if (frame.is_one_x) return linear_ticks((frame.x.low + frame.x.high) / 2, frame.x.low, 1);
  const double label_width = canvas.text_width(tick_label(frame.x.high));
  const double room = (frame.right - frame.left) / (1.6 * label_width);
  return linear_ticks(frame.x.low, frame.x.high,
                      static_cast<int>(std::clamp(room, 2.0, kMaxLabels)), plot.x_step);
}

std::vector<Tick> y_ticks_of(const Frame& frame) {
  if (frame.zero == 0) return log_ticks(frame.y.low, frame.y.high);
  std::vector<Tick> ticks{{frame.zero, "0"}};
  for (const Tick& tick : log_ticks(frame.y.low, frame.y.high)) {
    // Below them nothing but 0 is drawn.
    if (tick.value > 1.5 * frame.zero) ticks.push_back(tick);
  }
  return ticks;
}

// The length of a curve in a box of pixels, as a count of points on it.
int points_in(const Frame& frame, const PlotSeries& series, const PlotBox& box) {
  const int parts = series.x.size() > 500 ? 1 : 24;  // of a line between two points
  int inside = 0;
  for (size_t i = 0; i < series.x.size(); ++i) {
    const size_t next = std::min(i + 1, series.x.size() - 1);
    if (!is_drawable(series.y[i]) || !is_drawable(series.y[next])) continue;
    const double x0 = frame.pixel_x(series.x[i]), y0 = frame.pixel_y(series.y[i]);
    const double dx = frame.pixel_x(series.x[next]) - x0, dy = frame.pixel_y(series.y[next]) - y0;
    for (int part = 0; part < parts; ++part) {
      inside += box.holds(x0 + dx * part / parts, y0 + dy * part / parts) ? 1 : 0;
    }
  }
  return inside;
}

// The place at a side of the plotting area where the legend covers least of the curves: the top
// right corner if it is as good as any, else another corner, else between them.
PlotBox legend_box(const PlotLegend& legend, const Frame& frame,
                   const std::vector<PlotSeries>& curves) {
  const double gap = frame.style.gap;
  const double left = frame.left + gap, right = frame.right - gap - legend.width();
  const double top = frame.top + gap, bottom = frame.bottom - gap - legend.height();
  PlotBox best;
  int fewest = std::numeric_limits<int>::max();
  for (const double height : {0.0, 1.0, 0.2, 0.4, 0.6, 0.8}) {
    const double y = top + height * (bottom - top);
    for (const double x : {right, left}) {
      const PlotBox box{x, y, x + legend.width(), y + legend.height()};
      int covered = 0;
      for (const PlotSeries& series : curves) covered += points_in(frame, series, box);
      if (covered >= fewest) continue;
      fewest = covered;
      best = box;
    }
  }
  return best;
}

// Draws everything but the title; the frame's ranges are known.
void draw_data(Canvas& canvas, const LossPlot& plot, Frame& frame) {
  const double gap = frame.style.gap;
  Means means;
  std::vector<std::string> entries;
  for (const PlotSeries& series : plot.series) {
    means.push_back(running_mean(series.y, smoothing_window(series.y.size())));
    entries.push_back(legend_entry(series, means.back(), frame.zero));
  }
  const double left_edge = gap, bottom_edge = frame.bottom + 2 * gap + 2 * frame.style.font;
  const PlotLegend legend(entries, frame.style, frame.right - left_edge, frame.bottom - frame.top);
  frame.bottom -= legend.height_below();

  const std::vector<Tick> y_ticks = y_ticks_of(frame);
  canvas.set_font(frame.style.font);
  double label_width = 0;
  for (const Tick& tick : y_ticks) {
    label_width = std::max(label_width, canvas.text_width(tick.label));
  }
  frame.left = gap * 2.4 + frame.style.font + label_width;
  draw_axes(canvas, plot, frame, x_ticks_of(canvas, plot, frame), y_ticks);
  cairo_set_line_join(canvas.context(), CAIRO_LINE_JOIN_ROUND);
  for (size_t i = 0; i < plot.series.size(); ++i) {
    draw_raw_values(canvas, frame, plot.series[i], series_color(i));
  }
  for (size_t i = 0; i < plot.series.size(); ++i) {
    draw_mean(canvas, frame, plot.series[i], means[i], i);
  }
  legend.draw(canvas, legend_box(legend, frame, plot.series), left_edge,
              bottom_edge - legend.height_below());
}

// Says what light and dark mean; nothing when no curve is smoothed.
std::string reading_note(const LossPlot& plot) {
  size_t points = 0;
  for (const PlotSeries& series : plot.series) points = std::max(points, series.y.size());
  const int window = smoothing_window(points);
  return window == 1 ? "" : cat("light: every value, dark: mean of ", window);
}

// The title, and the note beside it or, where the image is narrow, below: how many lines.
int heading_lines(Canvas& canvas, const LossPlot& plot, const PlotStyle& style, double width) {
  canvas.set_font(style.title, true);
  const double title_width = canvas.text_width(plot.title);
  canvas.set_font(style.note);
  const double note_width = canvas.text_width(reading_note(plot));
  return note_width > 0 && title_width + note_width + 2 * style.gap > width ? 2 : 1;
}

void draw_heading(Canvas& canvas, const LossPlot& plot, const Frame& frame, int lines) {
  const PlotStyle& style = frame.style;
  const double width = frame.right - frame.left, title_y = style.gap + style.title / 2;
  canvas.set_font(style.title, true);
  canvas.set_color(kInk);
  canvas.draw_text(elided(canvas, plot.title, width), frame.left, title_y, Anchor::kLeft);
  canvas.set_font(style.note);
  canvas.set_color(kFaintInk);
  const std::string note = elided(canvas, reading_note(plot), width);
  if (lines == 1) return canvas.draw_text(note, frame.right, title_y, Anchor::kRight);
  canvas.draw_text(note, frame.left, title_y + (style.title + style.note) * 0.7, Anchor::kLeft);
}

}  // namespace

Image draw_loss_plot(const LossPlot& given, int width, int height) {
  Canvas canvas(width, height);
  Frame frame;
  LossPlot plot = given;
  if (plot.shows_zero) frame.zero = place_zeros(plot);
  frame.style = plot_style(width, height);
  const PlotStyle& style = frame.style;
  const int lines = heading_lines(canvas, plot, style, width - 8 * style.gap);
  frame.top = 2 * style.gap + style.title + (lines - 1) * style.note * 1.4;
  frame.right = width - 2 * style.gap;
  frame.bottom = height - 2 * style.gap - 2 * style.font;
  find_ranges(plot, frame);
  if (frame.x.empty()) {
    canvas.set_font(style.title);
    canvas.set_color(kFaintInk);
    canvas.draw_text("no data", width / 2.0, height / 2.0, Anchor::kCenter);
    frame.left = 2 * style.gap;
  } else {
    draw_data(canvas, plot, frame);
  }
  draw_heading(canvas, plot, frame, lines);
  return canvas.image();
}

}  // namespace ebb
