#pragma once

#include <string>
#include <vector>

namespace ebb {

struct Tick {
  double value = 0;
  std::string label;  // empty: a line without text
};

// Round values in [low, high], about `count` of them, spaced by 1, 2 or 5 times a power of ten that
// is at least min_step.
std::vector<Tick> linear_ticks(double low, double high, int count, double min_step = 0);

// Ticks for a logarithmic axis over [low, high], both > 0: every decade is labeled, and 2 and 5
// times a decade as well when the range is short; other multiples have lines only. A range too
// short for that has linear ticks.
std::vector<Tick> log_ticks(double low, double high);

// "0.01", "20,000", "1e-07": plain digits where they stay short.
std::string tick_label(double value);

}  // namespace ebb
