#pragma once

#include <cstddef>
#include <vector>

namespace ebb {

// Whether a value has a place on a logarithmic axis.
bool is_drawable(double value);

// Width of the running mean for a curve of so many points: about a fortieth of them, odd. Short
// curves are not smoothed.
int smoothing_window(size_t points);

// Mean of up to `window` (odd) neighbors centered on each value, fewer at the ends. Values that
// cannot be drawn are left out, and stay NaN.
std::vector<double> running_mean(const std::vector<double>& values, int window);

}  // namespace ebb
