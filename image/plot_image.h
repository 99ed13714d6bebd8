#pragma once

#include <string>
#include <vector>

#include "image/image.h"

namespace ebb {

// One curve; x (steps, epochs, ascending) and y are equally long. A y that is not finite or not
// above zero has no place on a logarithmic axis: the line breaks there, unless shows_zero.
struct PlotSeries {
  std::string label;
  std::vector<double> x;
  std::vector<double> y;
};

struct LossPlot {
  std::string title;
  std::string x_label = "step";
  std::string y_label = "loss";
  std::vector<PlotSeries> series;
  double x_step = 1;        // smallest distance of labeled x; 0: any, when x are no whole numbers
  bool shows_zero = false;  // a y of 0 has its place, below all others
};

// Curves over a linear x and a logarithmic y axis: each value as a light line, the centered running
// mean over about a fortieth of the points as a dark one, with grid, labeled decades and a legend
// that names the last mean, at a side where it covers no curve if there is such a place. A plot
// without any drawable value says "no data".
Image draw_loss_plot(const LossPlot& plot, int width = 1200, int height = 750);

}  // namespace ebb
