#include "image/plot_data.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/error.h"

namespace ebb {
namespace {

// Sums over any range of at most `block` neighbors from two values: to the end of its block and
// from the start of the next. Unlike a difference of prefix sums this never subtracts, so one huge
// loss does not wipe out the digits of all later ones.
class RangeSums {
 public:
  RangeSums(const std::vector<double>& values, size_t block)
      : block_(block), from_start_(values), to_end_(values) {
    for (size_t i = 1; i < values.size(); ++i) {
      if (i % block != 0) from_start_[i] += from_start_[i - 1];
    }
    for (size_t i = values.size(); i-- > 1;) {
      if (i % block != 0) to_end_[i - 1] += to_end_[i];
    }
  }

  // The sum over [begin, end), which has `block` values unless it touches an end of the series.
  double sum(size_t begin, size_t end) const {
    if (begin / block_ != (end - 1) / block_) return to_end_[begin] + from_start_[end - 1];
    return begin % block_ == 0 ? from_start_[end - 1] : to_end_[begin];
  }

 private:
  size_t block_;
  std::vector<double> from_start_;
  std::vector<double> to_end_;
};

}  // namespace

bool is_drawable(double value) { return std::isfinite(value) && value > 0; }

int smoothing_window(size_t points) { return static_cast<int>(points / 40) | 1; }

std::vector<double> running_mean(const std::vector<double>& values, int window) {
  EBB_CHECK(window >= 1 && window % 2 == 1, Error, "plot: smoothing window of ", window,
            " points, expected an odd number");
  std::vector<double> drawable(values.size());
  std::vector<double> ones(values.size());
  for (size_t i = 0; i < values.size(); ++i) {
    ones[i] = is_drawable(values[i]) ? 1 : 0;
    drawable[i] = is_drawable(values[i]) ? values[i] : 0;
  }
  const auto width = static_cast<size_t>(window);
  const RangeSums sums(drawable, width);
  const RangeSums counts(ones, width);
  std::vector<double> result(values.size(), std::numeric_limits<double>::quiet_NaN());
  for (size_t i = 0; i < values.size(); ++i) {
    const size_t begin = i - std::min(i, width / 2);
    const size_t end = std::min(values.size(), i + width / 2 + 1);
    if (is_drawable(values[i])) result[i] = sums.sum(begin, end) / counts.sum(begin, end);
  }
  return result;
}

}  // namespace ebb
