#include "apps/cli/progress.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <limits>
#include <string_view>

#include "base/error.h"
#include "base/text.h"

namespace ebb {
namespace {

constexpr int kBarWidth = 30;
constexpr double kRefreshSeconds = 0.1;
constexpr double kJsonSeconds = 1;
constexpr double kFirstLineSeconds = 5;
constexpr double kLineSeconds = 10;
constexpr const char* kPercent = "percent";
constexpr const char* kVariable = "EBB_PROGRESS";
constexpr const char* kBarColor = "\x1b[36m";
constexpr const char* kNoColor = "\x1b[0m";

template <typename... Values>
std::string format(const char* pattern, Values... values) {
  std::array<char, 64> buffer;
  std::snprintf(buffer.data(), buffer.size(), pattern, values...);
  return buffer.data();
}

double steady_seconds() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration<double>(now).count();
}

const std::vector<std::string>& mode_names() {
  static const std::vector<std::string> names = {"auto", "bar", "lines", "json", "none"};
  return names;
}

double rounded(double seconds) { return std::round(100 * seconds) / 100; }

std::string bar(int64_t done, int64_t total) {
  const double part = total > 0 ? static_cast<double>(done) / static_cast<double>(total) : 1;
  const int filled = static_cast<int>(std::clamp(part, 0.0, 1.0) * kBarWidth);
  if (filled == kBarWidth) return std::string(kBarWidth, '=');
  return std::string(filled, '=') + ">" + std::string(kBarWidth - filled - 1, ' ');
}

}  // namespace

std::string format_duration(double seconds) {
  if (!(seconds >= 0) || seconds > 1e15) return "?";
  if (seconds < 9.95) return format("%.1fs", seconds);
  const auto whole = static_cast<long long>(std::llround(seconds));
  if (whole < 60) return format("%llds", whole);
  if (whole < 3600) return format("%lldm%02llds", whole / 60, whole % 60);
  const long long minutes = whole / 60;
  if (minutes < 24 * 60) return format("%lldh%02lldm", minutes / 60, minutes % 60);
  return format("%lldd%02lldh", minutes / (24 * 60), minutes / 60 % 24);
}

std::string format_eta(int64_t done, int64_t total, double elapsed_seconds) {
  if (done <= 0) return "?";
  const auto left = static_cast<double>(std::max<int64_t>(total - done, 0));
  return format_duration(elapsed_seconds / static_cast<double>(done) * left);
}

std::string format_rate(double items_per_second) {
  if (!(items_per_second > 0) || !std::isfinite(items_per_second)) return "?it/s";
  if (items_per_second < 1) return format("%.2fs/it", 1 / items_per_second);
  return format("%.2fit/s", items_per_second);
}

Terminal make_terminal(bool interactive, const char* no_color, const char* term) {
  const bool colorless = no_color != nullptr && *no_color != '\0';
  const bool dumb = term == nullptr || std::string_view(term) == "dumb";
  return {interactive, interactive && !colorless && !dumb};
}

Terminal stderr_terminal() {
  Terminal terminal =
      make_terminal(::isatty(STDERR_FILENO) == 1, std::getenv("NO_COLOR"), std::getenv("TERM"));
  winsize window{};
  if (::ioctl(STDERR_FILENO, TIOCGWINSZ, &window) == 0) terminal.columns = window.ws_col;
  return terminal;
}

ProgressMode ProgressFlag::mode() const {
  std::string wanted = name;
  const char* variable = std::getenv(kVariable);
  if (wanted.empty() && variable != nullptr) wanted = variable;
  if (wanted.empty()) return ProgressMode::kAuto;
  const std::vector<std::string>& names = mode_names();
  const auto found = std::find(names.begin(), names.end(), wanted);
  EBB_CHECK(found != names.end(), UsageError, kVariable, " ", terminal_safe(wanted),
            ": must be one of auto, bar, lines, json, none. Correct the variable or unset it.");
  return static_cast<ProgressMode>(found - names.begin());
}

Flag add_progress_flag(Command command, ProgressFlag& flag) {
  return add_choice(command, "--progress", flag.name, mode_names(),
                    "Progress on standard error ($EBB_PROGRESS, else auto: a bar on a terminal, "
                    "else lines; json: an object a line)")
      .group(kOutputGroup);
}

Progress::Progress(ProgressMode mode)
    : Progress(mode, std::cerr, stderr_terminal(), steady_seconds) {}

Progress::Progress(ProgressMode mode, std::ostream& out, Terminal terminal, Clock clock)
    : mode_(mode), out_(out), terminal_(terminal), clock_(std::move(clock)), start_(clock_()) {
  if (mode_ == ProgressMode::kAuto) {
    mode_ = terminal_.interactive ? ProgressMode::kBar : ProgressMode::kLines;
  }
  next_ = start_ + (mode_ == ProgressMode::kLines ? kFirstLineSeconds : 0);
}

Progress::~Progress() { pause(); }

void Progress::begin(int64_t total, ProgressUnit unit) {
  pause();
  total_ = total;
  unit_ = std::move(unit);
  done_ = unit_.first;
  shown_.reset();
  start_ = clock_();
  if (mode_ != ProgressMode::kLines) next_ = start_;
}

void Progress::update(int64_t done, const Facts& facts) {
  done_ = done;
  if (mode_ == ProgressMode::kNone) return;
  const double now = clock_();
  if (now < next_) return;
  switch (mode_) {
    case ProgressMode::kBar:
      next_ = now + kRefreshSeconds;
      return redraw(facts);
    case ProgressMode::kJson:
      next_ = now + kJsonSeconds;
      return print_json(facts);
    default:
      next_ += kLineSeconds * (std::floor((now - next_) / kLineSeconds) + 1);
      return print_line(facts);
  }
}

void Progress::milestone(int64_t done, const Facts& facts) {
  done_ = done;
  switch (mode_) {
    case ProgressMode::kBar:
      redraw(facts, /*is_last=*/true);
      return pause();
    case ProgressMode::kJson:
      return print_json(facts);
    case ProgressMode::kLines: {
      const double now = clock_();
      if (now >= next_) next_ += kLineSeconds * (std::floor((now - next_) / kLineSeconds) + 1);
      return print_line(facts);
    }
    default:
      return;
  }
}

void Progress::pause() {
  if (line_open_) out_ << std::endl;
  line_open_ = false;
  shown_length_ = 0;
}

void Progress::finish(const Facts& facts) {
  if (shown_ != done_) {
    if (mode_ == ProgressMode::kBar) redraw(facts);
    if (mode_ == ProgressMode::kJson) print_json(facts);
  }
  pause();
}

double Progress::elapsed() const { return clock_() - start_; }

// "step 300/9380 | epoch 1 | loss 0.0812 | 164 images/s | ETA 54m00s"
std::string Progress::line_text(const Facts& facts, bool redrawn) const {
  const double seconds = elapsed();
  const int64_t done = done_ - unit_.first;
  std::string text = unit_.name == kPercent ? cat(100 * done_ / std::max<int64_t>(total_, 1), " %")
                                            : cat(unit_.name, " ", done_, "/", total_);
  if (facts) {
    for (const ProgressFact& fact : facts()) {
      if (!fact.text.empty() && (redrawn || fact.in_lines)) text += " | " + fact.text;
    }
  } else if (unit_.name != kPercent && done > 0 && seconds > 0) {
    text += " | " + format_rate(static_cast<double>(done) / seconds);
  }
  return text + " | ETA " + format_eta(done, total_ - unit_.first, seconds);
}

// " 12/20 - 4.55it/s", what stands behind the bar.
std::string Progress::bar_text() const {
  const double seconds = elapsed();
  if (unit_.name == kPercent) return cat(" ", 100 * done_ / std::max<int64_t>(total_, 1), " %");
  std::string text = cat(" ", done_, "/", total_);
  if (done_ > 0 && seconds > 0) text += " - " + format_rate(static_cast<double>(done_) / seconds);
  return text;
}

void Progress::redraw(const Facts& facts, bool is_last) {
  shown_ = done_;
  if (!unit_.has_bar && !facts) return;  // the last text stands
  std::string text = unit_.has_bar ? bar_text() : line_text(facts, /*redrawn=*/!is_last);
  // A line that wraps cannot be redrawn.
  if (const size_t most = terminal_.columns; !is_last && !unit_.has_bar && most > 1) {
    if (text.size() >= most) text = line_text(facts, /*redrawn=*/false);
    if (text.size() >= most) text.resize(most - 1);
  }
  size_t length = text.size();
  if (unit_.has_bar) {
    const std::string filling = bar(done_, total_);
    text = cat("|", terminal_.color ? kBarColor + filling + kNoColor : filling, "|", text);
    length += 2 + kBarWidth;
  }
  // Blanks cover what a longer line left behind; erasing would need an escape code.
  const std::string blanks(shown_length_ > length ? shown_length_ - length : 0, ' ');
  out_ << '\r' << text << blanks << std::flush;
  shown_length_ = length;
  line_open_ = true;
}

// In one piece, so that it stays whole beside the lines of other programs.
void Progress::print_line(const Facts& facts) {
  out_ << line_text(facts, /*redrawn=*/false) + "\n" << std::flush;
}

void Progress::print_json(const Facts& facts) {
  shown_ = done_;
  const double seconds = elapsed();
  const int64_t done = done_ - unit_.first;
  const auto left = static_cast<double>(std::max<int64_t>(total_ - done_, 0));
  Json object{{"event", "progress"},
              {"unit", unit_.name},
              {"done", done_},
              {"total", total_},
              {"seconds", rounded(seconds)}};
  object["eta_seconds"] =
      done > 0 ? Json(rounded(seconds / static_cast<double>(done) * left)) : Json();
  if (facts) {
    for (const ProgressFact& fact : facts()) object[fact.key] = fact.value;
  }
  out_ << object.dump() + "\n" << std::flush;
}

}  // namespace ebb
