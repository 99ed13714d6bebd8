#include "apps/cli/progress.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
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

// Progress on a stream of its own, at times that the test sets.
struct Shown {
  std::ostringstream out;
  double now = 100;
  Progress progress;

  explicit Shown(ProgressMode mode, Terminal terminal = kPlainTerminal)
      : progress(mode, out, terminal, [this] { return now; }) {}

  std::vector<std::string> lines() const {
    std::vector<std::string> result;
    std::istringstream parts(out.str());
    for (std::string part; std::getline(parts, part);) result.push_back(part);
    return result;
  }
};

const ProgressUnit kSteps{.name = "step"};

TEST_CASE("the bar shows part, count and rate") {
  Shown shown(ProgressMode::kBar);
  shown.progress.begin(20, kSteps);
  shown.progress.update(0);
  shown.now += 4;
  shown.progress.update(12);
  CHECK(drawn_lines(shown.out.str()) ==
        std::vector<std::string>{"|>                             | 0/20",
                                 "|==================>           | 12/20 - 3.00it/s"});
  shown.now += 20;
  shown.progress.update(20);
  shown.progress.finish();
  CHECK(drawn_lines(shown.out.str()).back() == "|==============================| 20/20 - 1.20s/it");
  CHECK(shown.out.str().back() == '\n');
}

TEST_CASE("the bar redraws at most ten times a second, and always at the end") {
  Shown shown(ProgressMode::kBar);
  shown.progress.begin(1000, kSteps);
  for (int i = 1; i <= 1000; ++i) {
    shown.now += 0.001;
    shown.progress.update(i);
  }
  shown.progress.finish();
  const size_t lines = drawn_lines(shown.out.str()).size();
  CHECK(lines >= 10);
  CHECK(lines <= 12);
  CHECK(drawn_lines(shown.out.str()).back().find("1000/1000") != std::string::npos);
}

TEST_CASE("a shorter line covers the longer one before it") {
  Shown shown(ProgressMode::kBar);
  shown.progress.begin(100, kSteps);
  shown.now += 0.0001;
  shown.progress.update(50);  // 500000.00it/s
  shown.now += 50;
  shown.progress.update(51);
  const std::string text = shown.out.str();
  const size_t last = text.rfind('\r');
  CHECK(text.size() - last == last - text.rfind('\r', last - 1));
}

TEST_CASE("where there is no terminal a line comes after 5 seconds and every 10 from then on") {
  Shown shown(ProgressMode::kAuto, Terminal{});
  shown.progress.begin(100, kSteps);
  std::vector<double> times;
  for (int i = 1; i <= 80; ++i) {  // half a second a step
    const size_t before = shown.lines().size();
    shown.now += 0.5;
    shown.progress.update(i);
    if (shown.lines().size() > before) times.push_back(shown.now - 100);
    CHECK(shown.lines().size() <= before + 1);
  }
  shown.progress.finish();
  CHECK(times == std::vector<double>{5, 15, 25, 35});
  CHECK(shown.lines().size() == times.size());
  CHECK(shown.lines()[0] == "step 10/100 | 2.00it/s | ETA 45s");
  CHECK(shown.out.str().find('\r') == std::string::npos);
}

TEST_CASE("steps longer than the time between lines give one line each") {
  Shown shown(ProgressMode::kLines);
  shown.progress.begin(4, kSteps);
  for (int i = 1; i <= 3; ++i) {
    shown.now += 27;
    shown.progress.update(i);
  }
  CHECK(shown.lines() == std::vector<std::string>{"step 1/4 | 27.00s/it | ETA 1m21s",
                                                  "step 2/4 | 27.00s/it | ETA 54s",
                                                  "step 3/4 | 27.00s/it | ETA 27s"});
}

TEST_CASE("parts of a command share the times at which lines are due") {
  Shown shown(ProgressMode::kLines);
  for (int part = 0; part < 4; ++part) {  // each too short for a line of its own
    shown.progress.begin(2, kSteps);
    shown.now += 2;
    shown.progress.update(1);
    shown.now += 2;
    shown.progress.update(2);
    shown.progress.finish();
  }
  CHECK(shown.lines() == std::vector<std::string>{"step 1/2 | 2.00s/it | ETA 2.0s",
                                                  "step 2/2 | 2.00s/it | ETA 0.0s"});
}

TEST_CASE("a milestone is exactly one line, whether one was due or not") {
  Shown shown(ProgressMode::kLines);
  shown.progress.begin(100, kSteps);
  shown.now += 1;
  shown.progress.milestone(10);
  CHECK(shown.lines().size() == 1);
  shown.now += 5;  // one is due
  shown.progress.milestone(20);
  shown.progress.update(20);
  CHECK(shown.lines().size() == 2);
  shown.now += 9;  // at 15 seconds, as if there had been none
  shown.progress.update(30);
  CHECK(shown.lines().size() == 3);
}

TEST_CASE("facts stand between count and time, and a resumed run counts from where it began") {
  Shown shown(ProgressMode::kLines);
  shown.progress.begin(100, {.name = "step", .first = 40, .has_bar = false});
  shown.now += 10;
  int asked = 0;
  const auto facts = [&] {
    ++asked;
    return std::vector<ProgressFact>{{"loss", 0.5, "loss 0.5"}, {"lr", 0.1, "lr 0.1", false}};
  };
  shown.progress.update(50, facts);
  shown.progress.update(51, facts);  // too early
  CHECK(asked == 1);
  CHECK(shown.lines() == std::vector<std::string>{"step 50/100 | loss 0.5 | ETA 50s"});
  Shown bar(ProgressMode::kBar);
  bar.progress.begin(100, {.name = "step", .first = 40, .has_bar = false});
  bar.now += 10;
  bar.progress.update(50, facts);
  CHECK(bar.out.str() == "\rstep 50/100 | loss 0.5 | lr 0.1 | ETA 50s");
}

TEST_CASE("shares are percent") {
  Shown shown(ProgressMode::kLines);
  shown.progress.begin(100, {.name = "percent"});
  shown.now += 5;
  shown.progress.update(20);
  CHECK(shown.lines() == std::vector<std::string>{"20 % | ETA 20s"});
}

TEST_CASE("JSON is an object a line, once a second and at the end") {
  Shown shown(ProgressMode::kJson);
  shown.progress.begin(40, kSteps);
  for (int i = 1; i <= 39; ++i) {
    shown.progress.update(i, [] {
      return std::vector<ProgressFact>{{"loss", 0.25, "loss 0.25"}, {"epoch", 1, "epoch 1"}};
    });
    shown.now += 0.1;
  }
  shown.progress.update(40);
  shown.progress.finish();
  const std::vector<std::string> lines = shown.lines();
  REQUIRE(lines.size() == 5);  // after 0, 1, 2 and 3 seconds and the last
  CHECK(lines[0] == R"({"event":"progress","unit":"step","done":1,"total":40,"seconds":0.0,)"
                    R"("eta_seconds":0.0,"loss":0.25,"epoch":1})");
  for (const std::string& line : lines) {
    const Json object = Json::parse(line);
    CHECK(object.at("event") == "progress");
    CHECK(object.at("done").get<int64_t>() <= 40);
  }
  CHECK(Json::parse(lines.back()).at("done") == 40);
  CHECK(Json::parse(lines.back()).at("seconds").get<double>() == Approx(3.9));
}

TEST_CASE("nothing is written with none") {
  Shown shown(ProgressMode::kNone);
  shown.progress.begin(2, kSteps);
  shown.now += 1000;
  shown.progress.update(1);
  shown.progress.milestone(1);
  shown.progress.finish();
  CHECK(shown.out.str().empty());
}

TEST_CASE("a bar that is abandoned ends its line once") {
  std::ostringstream abandoned;
  {
    Progress a(ProgressMode::kBar, abandoned, kPlainTerminal, [] { return 0.0; });
    a.begin(2, kSteps);
    a.update(1);
  }
  Shown finished(ProgressMode::kBar);
  finished.progress.begin(2, kSteps);
  finished.progress.update(1);
  finished.progress.finish();
  const auto newlines = [](const std::string& text) {
    return std::count(text.begin(), text.end(), '\n');
  };
  CHECK(newlines(abandoned.str()) == 1);
  CHECK(newlines(finished.out.str()) == 1);
}

TEST_CASE("escape codes appear only where color is allowed") {
  for (const bool color : {false, true}) {
    Shown shown(ProgressMode::kBar, Terminal{true, color});
    shown.progress.begin(2, kSteps);
    shown.progress.update(1);
    CHECK((shown.out.str().find('\x1b') != std::string::npos) == color);
  }
}

TEST_CASE("the flag goes before the variable, whose bad values are refused by name") {
  ::setenv("EBB_PROGRESS", "json", 1);
  CHECK(ProgressFlag{}.mode() == ProgressMode::kJson);
  CHECK(ProgressFlag{"lines"}.mode() == ProgressMode::kLines);
  ::setenv("EBB_PROGRESS", "loud", 1);
  CHECK_THROWS_WITH(ProgressFlag{}.mode(), Catch::Matchers::Contains("EBB_PROGRESS loud: must be"));
  CHECK(ProgressFlag{"none"}.mode() == ProgressMode::kNone);
  ::setenv("EBB_PROGRESS", "", 1);
  CHECK(ProgressFlag{}.mode() == ProgressMode::kAuto);
  ::unsetenv("EBB_PROGRESS");
  CHECK(ProgressFlag{}.mode() == ProgressMode::kAuto);
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
