#include "image/plot_axis.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

#include "base/error.h"

namespace ebb {
namespace {

// Rounding of log10 and of sums of steps must not lose a tick at the end of the range.
constexpr double kSlack = 1e-9;

double round_step(double step) {
  const double power = std::pow(10.0, std::floor(std::log10(step)));
  for (const double factor : {1.0, 2.0, 5.0}) {
    if (factor * power >= step * (1 - kSlack)) return factor * power;
  }
  return 10 * power;
}

std::string with_thousands(std::string digits) {
  const size_t first = digits.front() == '-' ? 1 : 0;
  for (size_t i = digits.size(); i > first + 3;) digits.insert(i -= 3, 1, ',');
  return digits;
}

}  // namespace

std::vector<Tick> linear_ticks(double low, double high, int count, double min_step) {
  if (!(high > low)) return {{low, tick_label(low)}};
  const double step = round_step(std::max((high - low) / count, min_step));
  const double slack = kSlack * (high - low);
  std::vector<Tick> ticks;
  for (double k = std::ceil((low - slack) / step); k * step <= high + slack; ++k) {
    ticks.push_back({k * step, tick_label(k * step)});
  }
  return ticks;
}

std::vector<Tick> log_ticks(double low, double high) {
  EBB_CHECK(low > 0 && high > 0, Error, "plot: logarithmic axis from ", low, " to ", high);
  constexpr double kLinearBelow = 0.6;   // decades
  constexpr double kDecadesAbove = 2.6;  // only decades labeled
  constexpr double kMaxDecades = 8;      // labeled one by one
  const double decades = std::log10(high / low);
  if (decades < kLinearBelow) return linear_ticks(low, high, 5);
  const int stride = static_cast<int>(std::ceil(decades / kMaxDecades));
  std::vector<Tick> ticks;
  const int first = static_cast<int>(std::floor(std::log10(low)));
  for (int exponent = first; std::pow(10.0, exponent) <= high * (1 + kSlack); ++exponent) {
    for (int multiple = 1; multiple <= 9; ++multiple) {
      const double value = multiple * std::pow(10.0, exponent);
      if (value < low * (1 - kSlack) || value > high * (1 + kSlack)) continue;
      if (stride > 1 && (multiple > 1 || exponent % stride != 0)) continue;
      const bool labeled =
          multiple == 1 || (decades <= kDecadesAbove && (multiple == 2 || multiple == 5));
      ticks.push_back({value, labeled ? tick_label(value) : ""});
    }
  }
  return ticks;
}

std::string tick_label(double value) {
  if (std::abs(value) < 1e-300) return "0";
  std::array<char, 32> buffer;
  const double magnitude = std::abs(value);
  if (magnitude >= 1000 && magnitude < 1e9 && value == std::round(value)) {
    std::snprintf(buffer.data(), buffer.size(), "%.0f", value);
    return with_thousands(buffer.data());
  }
  std::snprintf(buffer.data(), buffer.size(), "%.6g", value);
  return buffer.data();
}

}  // namespace ebb
