#include "apps/train_mnist/train_log.h"

#include <cerrno>
#include <cmath>
#include <filesystem>
#include <limits>
#include <optional>

#include "base/atomic_file.h"
#include "base/errno_advice.h"
#include "base/error.h"
#include "base/json.h"
#include "base/text.h"

namespace ebb {
namespace {

Json number(double value) { return std::isfinite(value) ? Json(value) : Json(nullptr); }

double number_of(const Json& json, const char* key) {
  return json.contains(key) && json[key].is_number() ? json[key].get<double>()
                                                     : std::numeric_limits<double>::quiet_NaN();
}

std::string to_line(const LogEntry& entry) {
  Json line;
  line["step"] = entry.step;
  line["epoch"] = entry.epoch;
  line["loss"] = number(entry.loss);
  line["lr"] = number(entry.lr);
  line["grad_norm"] = number(entry.grad_norm);
  line["images_per_second"] = number(entry.images_per_second);
  if (entry.test_accuracy) line["test_accuracy"] = number(*entry.test_accuracy);
  if (!entry.updated) line["skipped"] = true;
  return line.dump() + "\n";
}

std::optional<LogEntry> parse_line(const std::string& line) {
  const Json json = Json::parse(line, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object() || !json.contains("step") || !json["step"].is_number_integer()) return {};
  std::optional<double> accuracy;
  if (json.contains("test_accuracy")) accuracy = number_of(json, "test_accuracy");
  return LogEntry{.step = json["step"].get<int64_t>(),
                  .epoch = json.value("epoch", int64_t{0}),
                  .loss = number_of(json, "loss"),
                  .lr = number_of(json, "lr"),
                  .grad_norm = number_of(json, "grad_norm"),
                  .images_per_second = number_of(json, "images_per_second"),
                  .test_accuracy = accuracy,
                  .updated = !json.value("skipped", false)};
}

}  // namespace

std::vector<LogEntry> read_train_log(const std::string& path) {
  std::vector<LogEntry> entries;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    if (const auto entry = parse_line(line)) entries.push_back(*entry);
  }
  return entries;
}

bool is_train_log(const std::string& path) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    if (!file.eof() && !parse_line(line)) return false;
  }
  return true;
}

TrainLog::TrainLog(const std::string& path, int64_t last_step) : path_(path) {
  std::error_code error;
  if (std::filesystem::exists(path, error)) {
    std::string kept;
    for (const LogEntry& entry : read_train_log(path)) {
      if (entry.step <= last_step) kept += to_line(entry);
    }
    write_file(path, kept);
  }
  errno = 0;
  file_.open(path, std::ios::app);
  EBB_CHECK(file_.good(), IoError, path_label(path),
            ": cannot be opened for writing: ", describe_errno(errno));
}

void TrainLog::append(const LogEntry& entry) {
  errno = 0;
  file_ << to_line(entry) << std::flush;
  EBB_CHECK(file_.good(), IoError, path_label(path_),
            ": cannot be written: ", describe_errno(errno != 0 ? errno : ENOSPC));
}

}  // namespace ebb
