#include "apps/cli/progress.h"

#include <algorithm>
#include <cmath>
#include <sstream>

#include "testing/catch.h"

namespace ebb {
namespace {

constexpr Terminal kPlainTerminal = {true, false};

// The lines that a terminal shows after each carriage return, without trailing blanks.
std::vector<std::string> drawn_lines(const std::string& output) {
  std::vector<std::string> lines;
  std::istringstream parts(output);
  for (std::string part; std::getline(parts, part, '\r');) {
    const size_t end = part.find_last_not_of(" \n");
    if (end != std::string::npos) lines.push_back(part.substr(0, end + 1));
  }
  return lines;
}

TEST_CASE("durations are short at every size") {
  CHECK(format_duration(0) == "0.0s");
  CHECK(format_duration(0.84) == "0.8s");
  CHECK(format_duration(9.96) == "10s");
  CHECK(format_duration(59.6) == "1m00s");
  CHECK(format_duration(185) == "3m05s");
  CHECK(format_duration(3599.6) == "1h00m");
  CHECK(format_duration(3725) == "1h02m");
  CHECK(format_duration(2 * 86400 + 3 * 3600 + 59 * 60) == "2d03h");
  CHECK(format_duration(-1) == "?");
  CHECK(format_duration(std::nan("")) == "?");
  CHECK(format_duration(INFINITY) == "?");
}

TEST_CASE("the time left extrapolates the speed so far") {
  CHECK(format_eta(25, 100, 10) == "30s");
  CHECK(format_eta(100, 100, 10) == "0.0s");
  CHECK(format_eta(0, 100, 10) == "?");
}

TEST_CASE("slow rates are seconds per item") {
  CHECK(format_rate(4.554) == "4.55it/s");
  CHECK(format_rate(1) == "1.00it/s");
  CHECK(format_rate(0.4) == "2.50s/it");
  CHECK(format_rate(0) == "?it/s");
  CHECK(format_rate(INFINITY) == "?it/s");
}

TEST_CASE("the bar shows part, count and rate") {
  double now = 100;
  std::ostringstream out;
  ProgressBar bar(20, out, kPlainTerminal, [&] { return now; });
  bar.update(0);
  now += 4;
  bar.update(12);
  CHECK(drawn_lines(out.str()) ==
        std::vector<std::string>{"|>                             | 0/20",
                                 "|==================>           | 12/20 - 3.00it/s"});
  now += 20;
  bar.update(20);
  bar.finish();
  CHECK(drawn_lines(out.str()).back() == "|==============================| 20/20 - 1.20s/it");
  CHECK(out.str().back() == '\n');
}

TEST_CASE("the bar redraws at most ten times a second, and always at the end") {
  double now = 0;
  std::ostringstream out;
  ProgressBar bar(1000, out, kPlainTerminal, [&] { return now; });
  for (int i = 1; i <= 1000; ++i) {
    now += 0.001;
    bar.update(i);
  }
  bar.finish();
  const size_t lines = drawn_lines(out.str()).size();
  CHECK(lines >= 10);
  CHECK(lines <= 12);
  CHECK(drawn_lines(out.str()).back().find("1000/1000") != std::string::npos);
}

TEST_CASE("a shorter line covers the longer one before it") {
  double now = 0;
  std::ostringstream out;
  ProgressBar bar(100, out, kPlainTerminal, [&] { return now; });
  now = 0.0001;
  bar.update(50);  // 500000.00it/s
  now = 50;
  bar.update(51);
  const std::string text = out.str();
  const size_t last = text.rfind('\r');
  CHECK(text.size() - last == last - text.rfind('\r', last - 1));
}

TEST_CASE("nothing is written where there is no terminal") {
  std::ostringstream out;
  {
    ProgressBar bar(2, out, Terminal{}, [] { return 0.0; });
    bar.update(1);
    bar.finish();
  }
  CHECK(out.str().empty());
}

TEST_CASE("a bar that is abandoned ends its line once") {
  std::ostringstream abandoned, finished;
  {
    ProgressBar a(2, abandoned, kPlainTerminal, [] { return 0.0; });
    a.update(1);
    ProgressBar b(2, finished, kPlainTerminal, [] { return 0.0; });
    b.update(1);
    b.finish();
  }
  const auto newlines = [](const std::string& text) {
    return std::count(text.begin(), text.end(), '\n');
  };
  CHECK(newlines(abandoned.str()) == 1);
  CHECK(newlines(finished.str()) == 1);
}

TEST_CASE("escape codes appear only where color is allowed") {
  for (const bool color : {false, true}) {
    std::ostringstream out;
    ProgressBar bar(2, out, Terminal{true, color}, [] { return 0.0; });
    bar.update(1);
    CHECK((out.str().find('\x1b') != std::string::npos) == color);
  }
}

TEST_CASE("NO_COLOR, a dumb terminal and no terminal switch color off") {
  CHECK(make_terminal(true, nullptr, "xterm").color);
  CHECK(make_terminal(true, "", "xterm").color);  // empty counts as not set
  CHECK_FALSE(make_terminal(true, "0", "xterm").color);
  CHECK_FALSE(make_terminal(true, nullptr, "dumb").color);
  CHECK_FALSE(make_terminal(true, nullptr, nullptr).color);
  CHECK_FALSE(make_terminal(false, nullptr, "xterm").color);
  CHECK(make_terminal(true, "1", "dumb").interactive);
  CHECK_FALSE(make_terminal(false, nullptr, "xterm").interactive);
}

}  // namespace
}  // namespace ebb
