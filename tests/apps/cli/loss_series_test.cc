#include "apps/cli/loss_series.h"

#include "testing/catch.h"

namespace ebb {
namespace {

using Numbers = std::vector<double>;

TEST_CASE("a log has the loss of every step and the validation where it was measured") {
  std::vector<LogEntry> log;
  for (int64_t step = 1; step <= 4; ++step) {
    log.push_back({.step = step, .loss = 1.0 / static_cast<double>(step)});
  }
  REQUIRE(loss_series(log, "").size() == 1);
  log[1].validation_loss = 0.75;
  log[3].validation_loss = 0.5;
  const auto series = loss_series(log, "a");
  REQUIRE(series.size() == 2);
  CHECK(series[0].label == "a");
  CHECK(series[0].x == Numbers{1, 2, 3, 4});
  CHECK(series[0].y == Numbers{1, 0.5, 1.0 / 3, 0.25});
  CHECK(series[1].label == "a, validation");
  CHECK(series[1].x == Numbers{2, 4});
  CHECK(series[1].y == Numbers{0.75, 0.5});
  CHECK(loss_series(log, "")[1].label == "validation loss");
}

TEST_CASE("a model has means of steps, at their middle, and the validation of epochs") {
  ModelHistory history;
  history.steps_per_point = 10;
  history.losses = {1, 0.5};
  history.steps_per_epoch = 8;
  history.validation_losses = {0.9, 0.4};
  const auto series = loss_series(history, "m");
  REQUIRE(series.size() == 2);
  CHECK(series[0].x == Numbers{5, 15});
  CHECK(series[0].y == Numbers{1, 0.5});
  CHECK(series[1].x == Numbers{8, 16});
  CHECK(series[1].y == Numbers{0.9, 0.4});
}

}  // namespace
}  // namespace ebb
