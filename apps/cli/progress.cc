#include "apps/cli/progress.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <string_view>

#include "base/error.h"

namespace ebb {
namespace {

constexpr int kBarWidth = 30;
constexpr double kRefreshSeconds = 0.1;
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
  return make_terminal(::isatty(STDERR_FILENO) == 1, std::getenv("NO_COLOR"), std::getenv("TERM"));
}

ProgressBar::ProgressBar(int64_t total, bool visible)
    : ProgressBar(total, std::cerr, visible ? stderr_terminal() : Terminal{}, steady_seconds) {}

ProgressBar::ProgressBar(int64_t total, std::ostream& out, Terminal terminal, Clock clock)
    : total_(total),
      out_(out),
      terminal_(terminal),
      clock_(std::move(clock)),
      start_(clock_()),
      last_draw_(-std::numeric_limits<double>::infinity()) {}

ProgressBar::~ProgressBar() {
  if (line_open_) out_ << std::endl;
}

void ProgressBar::update(int64_t done) {
  done_ = done;
  if (terminal_.interactive && clock_() - last_draw_ >= kRefreshSeconds) draw();
}

void ProgressBar::finish() {
  if (!terminal_.interactive) return;
  draw();
  out_ << std::endl;
  line_open_ = false;
}

void ProgressBar::draw() {
  last_draw_ = clock_();
  const double elapsed = last_draw_ - start_;
  std::string tail = cat(" ", done_, "/", total_);
  if (done_ > 0 && elapsed > 0) tail += " - " + format_rate(static_cast<double>(done_) / elapsed);
  // Blanks cover what a longer line left behind; erasing would need an escape code.
  const size_t length = 2 + kBarWidth + tail.size();
  const std::string blanks(shown_length_ > length ? shown_length_ - length : 0, ' ');
  const std::string filling = bar(done_, total_);
  out_ << "\r|" << (terminal_.color ? kBarColor + filling + kNoColor : filling) << "|" << tail
       << blanks << std::flush;
  shown_length_ = length;
  line_open_ = true;
}

}  // namespace ebb
