#include "diffusion/train_log.h"

#include <cmath>
#include <fstream>
#include <limits>

#include "testing/catch.h"
#include "testing/temp_dir.h"

namespace ebb {
namespace {

LogEntry entry_of(int64_t step) {
  return {.step = step,
          .epoch = 1,
          .loss = 1.0 / static_cast<double>(step),
          .lr = 1e-3,
          .grad_norm = 2.5,
          .images_per_second = 100,
          .updated = true};
}

TEST_CASE("a log gives back what was appended") {
  const test::TempDir dir;
  const std::string path = dir / "log.jsonl";
  LogEntry skipped = entry_of(3);
  skipped.loss = std::numeric_limits<double>::quiet_NaN();
  skipped.updated = false;
  {
    TrainLog log(path, 0);
    log.append(entry_of(1));
    LogEntry last = entry_of(2);
    last.test_accuracy = 0.5;
    last.validation_loss = 0.25;
    log.append(last);
    log.append(skipped);
  }
  const auto entries = read_train_log(path);
  REQUIRE(entries.size() == 3);
  CHECK(entries[1].loss == 0.5);
  CHECK(entries[1].updated);
  CHECK(entries[1].test_accuracy == 0.5);
  CHECK(entries[1].validation_loss == 0.25);
  CHECK_FALSE(entries[1].read_as_asked);
  CHECK_FALSE(entries[0].test_accuracy);
  CHECK(std::isnan(entries[2].loss));
  CHECK_FALSE(entries[2].updated);
}

TEST_CASE("resuming drops the steps after the checkpoint and a line that was cut short") {
  const test::TempDir dir;
  const std::string path = dir / "log.jsonl";
  {
    TrainLog log(path, 0);
    for (int64_t step = 1; step <= 5; ++step) log.append(entry_of(step));
  }
  std::ofstream(path, std::ios::app) << "{\"step\": 6, \"lo";
  {
    TrainLog log(path, 3);
    log.append(entry_of(4));
  }
  const auto entries = read_train_log(path);
  REQUIRE(entries.size() == 4);
  for (size_t i = 0; i < entries.size(); ++i) CHECK(entries[i].step == static_cast<int64_t>(i) + 1);
}

TEST_CASE("a file of other lines is no log, and values of other types are passed over") {
  const test::TempDir dir;
  const std::string path = dir / "log.jsonl";
  std::ofstream(path) << "{\"step\": 1, \"loss\": \"x\", \"epoch\": \"y\", \"skipped\": 3}\n";
  CHECK(is_train_log(path));
  const auto entries = read_train_log(path);
  REQUIRE(entries.size() == 1);
  CHECK(std::isnan(entries[0].loss));
  CHECK(entries[0].epoch == 0);
  std::ofstream(path, std::ios::app) << "mine\n{\"step\": 2}\n";
  CHECK_FALSE(is_train_log(path));
}

}  // namespace
}  // namespace ebb
