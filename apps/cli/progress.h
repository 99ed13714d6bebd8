#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <iosfwd>
#include <optional>
#include <string>
#include <vector>

#include "apps/cli/command.h"
#include "base/json.h"

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
  size_t columns = 0;  // of a line; 0: not known
};

// From the values of the environment variables NO_COLOR and TERM, null where not set. No color
// when NO_COLOR is set and not empty (no-color.org), or TERM is missing or dumb.
Terminal make_terminal(bool interactive, const char* no_color, const char* term);

Terminal stderr_terminal();

// The form in which a command reports progress on standard error.
enum class ProgressMode {
  kAuto,   // kBar on a terminal, else kLines
  kBar,    // one line, redrawn in place
  kLines,  // a line after 5 seconds, then one every 10: for logs
  kJson,   // one object a line, for programs
  kNone,
};

// --progress, and $EBB_PROGRESS where it is not given.
struct ProgressFlag {
  std::string name;  // empty: not given

  ProgressMode mode() const;  // UsageError for a bad value of the variable
};
Flag add_progress_flag(Command command, ProgressFlag& flag);

// Something that a command says of itself beside its count.
struct ProgressFact {
  std::string key;       // in JSON
  Json value;            // likewise
  std::string text;      // for people; may be empty
  bool in_lines = true;  // false: shown where the line is redrawn only
};

// The unit of the count.
struct ProgressUnit {
  std::string name;     // "step", "figure"; "percent": shown as 12 %
  int64_t first = 0;    // done before the command began, as in a resumed run
  bool has_bar = true;  // false: the redrawn line is the text of the others
};

// Shows how far a command is. One for a command: its parts, each with a total of its own, share
// the times at which lines are due.
class Progress {
 public:
  using Clock = std::function<double()>;  // seconds, ascending
  using Facts = std::function<std::vector<ProgressFact>()>;

  // On standard error.
  explicit Progress(ProgressMode mode);
  // For tests and other streams.
  Progress(ProgressMode mode, std::ostream& out, Terminal terminal, Clock clock);
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  // Ends the line where it is when finish() was not called, so that an error message after an
  // exception starts on a line of its own.
  ~Progress();

  // A part of `total` items begins.
  void begin(int64_t total, ProgressUnit unit);
  // `done` of them are complete. Shows it when it is time; `facts` is called only then.
  void update(int64_t done, const Facts& facts = nullptr);
  // The same at a place that deserves a line whatever the time, such as the end of an epoch. On
  // a terminal it ends the line.
  void milestone(int64_t done, const Facts& facts = nullptr);
  // Ends the redrawn line, so that a message can follow.
  void pause();
  // The part ends: the last state of a bar and of JSON is shown whatever the time.
  void finish(const Facts& facts = nullptr);

 private:
  // is_last: a line that stays, of any length.
  void redraw(const Facts& facts, bool is_last = false);
  void print_line(const Facts& facts);
  void print_json(const Facts& facts);
  std::string line_text(const Facts& facts, bool redrawn) const;
  std::string bar_text() const;
  double elapsed() const;  // of the part

  ProgressMode mode_;
  std::ostream& out_;
  Terminal terminal_;
  Clock clock_;
  double next_;  // when the next line or object is due
  double start_ = 0;
  int64_t total_ = 0;
  int64_t done_ = 0;
  std::optional<int64_t> shown_;  // `done` when it was shown last
  ProgressUnit unit_;
  size_t shown_length_ = 0;  // characters on the line now
  bool line_open_ = false;
};

}  // namespace ebb
