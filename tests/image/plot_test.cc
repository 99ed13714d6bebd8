#include <algorithm>
#include <cmath>
#include <limits>

#include "base/error.h"
#include "base/utf8.h"
#include "image/canvas.h"
#include "image/plot_axis.h"
#include "image/plot_data.h"
#include "image/plot_image.h"
#include "image/plot_legend.h"
#include "testing/catch.h"
#include "testing/errors.h"

namespace ebb {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

std::vector<std::string> labels(const std::vector<Tick>& ticks) {
  std::vector<std::string> result;
  for (const Tick& tick : ticks) {
    if (!tick.label.empty()) result.push_back(tick.label);
  }
  return result;
}

using Labels = std::vector<std::string>;

TEST_CASE("linear ticks are round numbers inside the range") {
  CHECK(labels(linear_ticks(0, 1000, 5)) == Labels{"0", "200", "400", "600", "800", "1,000"});
  CHECK(labels(linear_ticks(3, 11, 4)) == Labels{"4", "6", "8", "10"});
  CHECK(labels(linear_ticks(0.3, 0.7, 4)) == Labels{"0.3", "0.4", "0.5", "0.6", "0.7"});
  CHECK(labels(linear_ticks(-1, 1, 4)) == Labels{"-1", "-0.5", "0", "0.5", "1"});
  CHECK(labels(linear_ticks(1, 5, 8, 1)) == Labels{"1", "2", "3", "4", "5"});
  CHECK(labels(linear_ticks(2, 2, 5)) == Labels{"2"});
}

TEST_CASE("logarithmic ticks label every decade and rule the multiples between") {
  const std::vector<Tick> ticks = log_ticks(0.001, 10);
  CHECK(labels(ticks) == Labels{"0.001", "0.01", "0.1", "1", "10"});
  CHECK(ticks.size() == 4 * 9 + 1);
}

TEST_CASE("short logarithmic ranges have more labels, long ones fewer") {
  CHECK(labels(log_ticks(0.009, 0.11)) == Labels{"0.01", "0.02", "0.05", "0.1"});
  CHECK(labels(log_ticks(0.034, 0.051)) == Labels{"0.035", "0.04", "0.045", "0.05"});
  CHECK(labels(log_ticks(1e-12, 1)) ==
        Labels{"1e-12", "1e-10", "1e-08", "1e-06", "0.0001", "0.01", "1"});
  CHECK_THROWS_AS(log_ticks(0, 1), Error);
}

TEST_CASE("the running mean is the mean of the neighbors") {
  const std::vector<double> values = {1, 2, 3, 4, 100, 6, 7, 8, 9, 10, 11};
  for (const int window : {1, 3, 5, 7, 11, 101}) {
    const std::vector<double> mean = running_mean(values, window);
    REQUIRE(mean.size() == values.size());
    for (int i = 0; i < static_cast<int>(values.size()); ++i) {
      double sum = 0, count = 0;
      for (int k = i - window / 2; k <= i + window / 2; ++k) {
        if (k < 0 || k >= static_cast<int>(values.size())) continue;
        sum += values[k];
        count += 1;
      }
      CAPTURE(window, i);
      CHECK(mean[i] == Approx(sum / count).epsilon(1e-14));
    }
  }
  CHECK_THROWS_AS(running_mean(values, 2), Error);
  CHECK(running_mean({}, 3).empty());
}

TEST_CASE("the running mean leaves out what cannot be drawn") {
  const std::vector<double> mean = running_mean({1, kNan, 3, 0, 5, INFINITY}, 3);
  CHECK(mean[0] == 1);
  CHECK(std::isnan(mean[1]));
  CHECK(mean[2] == 3);
  CHECK(std::isnan(mean[3]));
  CHECK(mean[4] == 5);
  CHECK(std::isnan(mean[5]));
}

TEST_CASE("one huge value does not disturb the mean of later ones") {
  std::vector<double> values(1000, 1e-3);
  values[0] = 1e30;
  const std::vector<double> mean = running_mean(values, 25);
  CHECK(mean[13] == Approx(1e-3).epsilon(1e-12));
  CHECK(mean[999] == Approx(1e-3).epsilon(1e-12));
}

// The dark color of the first and second curve.
bool is_blue(const uint8_t* p) { return p[0] < 30 && p[1] > 90 && p[1] < 140 && p[2] > 150; }
bool is_orange(const uint8_t* p) { return p[0] > 180 && p[1] > 70 && p[1] < 120 && p[2] < 40; }

// Mean row of the pixels that `test` accepts in columns [left, right); -1 for none. Rows of the
// legend are not looked at.
template <typename Test>
double mean_row(const Image& image, int left, int right, Test test) {
  double sum = 0;
  int count = 0;
  for (int y = 110; y < image.height; ++y) {
    for (int x = left; x < right; ++x) {
      if (!test(image.pixels.data() + (int64_t{y} * image.width + x) * 3)) continue;
      sum += y;
      ++count;
    }
  }
  return count == 0 ? -1 : sum / count;
}

PlotSeries falling(const char* label, int points, double start) {
  PlotSeries series{label, {}, {}};
  for (int i = 0; i < points; ++i) {
    series.x.push_back(i);
    series.y.push_back(start * std::pow(10, -3.0 * i / points));
  }
  return series;
}

TEST_CASE("an exponential decay is a straight falling line on the logarithmic axis") {
  const Image image = draw_loss_plot({"title", "step", "loss", {falling("loss", 1000, 1)}});
  CHECK(image.width == 1200);
  CHECK(image.height == 750);
  CHECK(image.channels == 3);
  const double a = mean_row(image, 390, 410, is_blue), b = mean_row(image, 640, 660, is_blue),
               c = mean_row(image, 890, 910, is_blue);
  REQUIRE(a > 0);
  REQUIRE(c > b);
  CHECK(b - a == Approx(c - b).margin(2));
  CHECK(b - a > 100);
}

TEST_CASE("several curves have their own colors and order") {
  const Image image =
      draw_loss_plot({"title", "step", "loss", {falling("a", 500, 1), falling("b", 500, 0.1)}});
  const double blue = mean_row(image, 590, 610, is_blue);
  const double orange = mean_row(image, 590, 610, is_orange);
  REQUIRE(blue > 0);
  CHECK(orange > blue + 50);
}

TEST_CASE("values that cannot be drawn leave a gap") {
  PlotSeries series = falling("loss", 1000, 1);
  for (int i = 400; i < 600; ++i) series.y[i] = i % 2 == 0 ? kNan : -1;
  const Image image = draw_loss_plot({"title", "step", "loss", {series}});
  CHECK(mean_row(image, 590, 650, is_blue) == -1);
  CHECK(mean_row(image, 300, 400, is_blue) > 0);
  CHECK(mean_row(image, 900, 1000, is_blue) > 0);
}

TEST_CASE("a plot of nothing, of one point and of a constant is drawn") {
  const Image empty = draw_loss_plot({});
  CHECK(empty.width == 1200);
  CHECK(empty.pixels != make_image(1200, 750, 3, 255).pixels);
  CHECK(mean_row(draw_loss_plot({"", "", "", {{"one", {5}, {0.1}}}}), 0, 1200, is_blue) > 0);
  CHECK(mean_row(draw_loss_plot({"", "", "", {{"flat", {1, 2}, {0.1, 0.1}}}}), 0, 1200, is_blue) >
        0);
  CHECK_NOTHROW(draw_loss_plot({"", "", "", {{"bad", {1, 2}, {kNan, 0}}}}));
  CHECK_THROWS_AS(draw_loss_plot({"", "", "", {{"odd", {1, 2}, {1}}}}), Error);
}

TEST_CASE("a long curve is drawn like its lowest and highest values") {
  PlotSeries series{"loss", {}, {}};
  for (int i = 0; i < 200000; ++i) {
    series.x.push_back(i);
    series.y.push_back(i == 100001 ? 1.0 : 0.01);
  }
  const Image image = draw_loss_plot({"", "", "", {series}});
  // The light line reaches the single peak.
  const auto light_blue = [](const uint8_t* p) { return p[2] > p[0] + 30; };
  int tinted = 0;
  for (int x = 600; x < 680; ++x) tinted += light_blue(image.pixels.data() + (200 * 1200 + x) * 3);
  CHECK(tinted >= 1);
}

int count_ink(const Image& image, int left, int top, int right, int bottom) {
  int count = 0;
  for (int y = top; y < bottom; ++y) {
    for (int x = left; x < right; ++x) {
      const uint8_t* p = image.pixels.data() + (int64_t{y} * image.width + x) * 3;
      count += std::max({p[0], p[1], p[2]}) < 90 ? 1 : 0;
    }
  }
  return count;
}

TEST_CASE("a value of zero is drawn below all others where it is to be shown") {
  LossPlot plot{"", "", "", {{"misread", {1, 2, 3}, {50, 0, 5}}}};
  // Around the second point, in the middle of the plot.
  const auto middle = [&] { return mean_row(draw_loss_plot(plot), 620, 650, is_blue); };
  CHECK(middle() == -1);
  plot.shows_zero = true;
  CHECK(middle() > 600);
  CHECK(mean_row(draw_loss_plot(plot), 1160, 1175, is_blue) < 600);
  CHECK_NOTHROW(draw_loss_plot({.title = "",
                                .x_label = "",
                                .y_label = "",
                                .series = {{"all", {1, 2}, {0, 0}}},
                                .shows_zero = true}));
}

TEST_CASE("the legend stands in a corner without curves") {
  // A rising curve ends in the top right corner, a falling one begins in the top left one.
  PlotSeries rising = falling("loss", 30, 1);
  std::reverse(rising.y.begin(), rising.y.end());
  const auto ink = [](const Image& image, int left, int right) {
    return count_ink(image, left, 70, right, 110);
  };
  const Image up = draw_loss_plot({"", "step", "loss", {rising}});
  CHECK(ink(up, 100, 500) > 100);
  CHECK(ink(up, 800, 1180) == 0);
  const Image down = draw_loss_plot({"", "step", "loss", {falling("loss", 30, 1)}});
  CHECK(ink(down, 100, 500) == 0);
  CHECK(ink(down, 800, 1180) > 100);
}

TEST_CASE("a small plot of many curves keeps its legend off the curves") {
  LossPlot plot{"training loss", "step", "loss", {}};
  for (const char* name : {"one", "another", "a third", "mnist-class", "mnist-time", "last"}) {
    plot.series.push_back(falling(name, 2000, 1));
  }
  const Image image = draw_loss_plot(plot, 400, 300);
  // Names below the axis, no dark text in the plotting area.
  CHECK(count_ink(image, 90, 60, 380, 130) == 0);
  CHECK(count_ink(image, 10, 220, 390, 300) > 200);
  // A large one has them inside.
  CHECK(count_ink(draw_loss_plot(plot), 800, 60, 1160, 260) > 200);
}

TEST_CASE("a legend too small for all curves says how many it leaves out") {
  Canvas canvas(10, 10);
  std::vector<std::string> names(50, "a name of some length");
  const PlotLegend legend(names, plot_style(400, 300), 370, 200);
  CHECK(legend.height_below() > 0);
  CHECK(legend.height_below() <= 0.5 * 200);
}

TEST_CASE("a character that the font lacks is an error that names it, not a box") {
  Canvas canvas(40, 20);
  canvas.set_font(12);
  // From the private use area, where fonts have no glyphs: U+E123 and U+10FFFD.
  const std::string message =
      test::message_of<IoError>([&] { canvas.draw_text("ab\ue123", 0, 10, Anchor::kLeft); });
  CHECK(message.find("font DejaVu Sans: has no glyph for ") == 0);
  CHECK(message.find("fonts-dejavu-core") != std::string::npos);
  CHECK_THROWS_AS(canvas.text_width("\U0010fffd"), IoError);
  CHECK_THROWS_AS(canvas.draw_vertical_text("\ue123", 20, 10), IoError);
  CHECK_NOTHROW(canvas.draw_text("t = 500, \u03c3 0.5, i\u2026", 0, 10, Anchor::kLeft));
}

TEST_CASE("text that does not fit loses its middle, never half a character") {
  Canvas canvas(10, 10);
  canvas.set_font(12);
  const std::string name = "\u03b1\u03b2\u03b3\u03b4\u03b5\u03b6\u03b7\u03b8";
  CHECK(elided(canvas, name, 1000) == name);
  for (double width = 5; width < 80; width += 3) {
    const std::string shorter = elided(canvas, name, width);
    CHECK(is_utf8(shorter));
    CHECK((shorter == "\u2026" || canvas.text_width(shorter) <= width));
  }
}

}  // namespace
}  // namespace ebb
