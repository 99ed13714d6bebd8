#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <iostream>
#include <string>

namespace ebb {

// "0.8s", "12s", "3m05s", "1h02m", "2d03h"; "?" for a value that is negative or not finite.
std::string format_duration(double seconds);

// Time for what is left at the speed so far; "?" before the first item.
std::string format_eta(int64_t done, int64_t total, double elapsed_seconds);

// "4.55it/s", or "2.31s/it" below one per second.
std::string format_rate(double items_per_second);

// The capabilities of an output stream.
struct Terminal {
  bool interactive = false;  // a progress line may be redrawn
  bool color = false;
};

// From the values of the environment variables NO_COLOR and TERM, null where not set. No color
// when NO_COLOR is set and not empty (no-color.org), or TERM is missing or dumb.
Terminal make_terminal(bool interactive, const char* no_color, const char* term);

Terminal stderr_terminal();

// "|=====>    | 12/20 - 4.55it/s", redrawn in place on a terminal; silent anywhere else.
class ProgressBar {
 public:
  using Clock = std::function<double()>;  // seconds, ascending

  // On standard error. visible false: silent even on a terminal.
  explicit ProgressBar(int64_t total, bool visible = true);
  // For tests and other streams.
  ProgressBar(int64_t total, std::ostream& out, Terminal terminal, Clock clock);
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;
  // Ends the line where it is when finish() was not called, so that an error message after an
  // exception starts on a line of its own.
  ~ProgressBar();

  // `done` of `total` items are complete. Redraws at most ten times a second.
  void update(int64_t done);

  // Draws the last state, whatever the time, and ends the line.
  void finish();

 private:
  void draw();

  int64_t total_;
  std::ostream& out_;
  Terminal terminal_;
  Clock clock_;
  double start_;
  double last_draw_;
  int64_t done_ = 0;
  size_t shown_length_ = 0;  // characters on the line now
  bool line_open_ = false;
};

}  // namespace ebb
