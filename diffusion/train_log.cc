#include "diffusion/train_log.h"

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
  const auto add = [&line](const char* key, const std::optional<double>& value) {
    if (value) line[key] = number(*value);
  };
  add("test_accuracy", entry.test_accuracy);
  add("validation_loss", entry.validation_loss);
  add("read_as_asked", entry.read_as_asked);
  if (!entry.updated) line["skipped"] = true;
  return line.dump() + "\n";
}

std::optional<double> optional_number(const Json& json, const char* key) {
  return json.contains(key) ? std::optional(number_of(json, key)) : std::nullopt;
}

std::optional<LogEntry> parse_line(const std::string& line) {
  const Json json = Json::parse(line, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object() || !json.contains("step") || !json["step"].is_number_integer()) return {};
  const bool has_epoch = json.contains("epoch") && json["epoch"].is_number_integer();
  return LogEntry{.step = json["step"].get<int64_t>(),
                  .epoch = has_epoch ? json["epoch"].get<int64_t>() : 0,
                  .loss = number_of(json, "loss"),
                  .lr = number_of(json, "lr"),
                  .grad_norm = number_of(json, "grad_norm"),
                  .images_per_second = number_of(json, "images_per_second"),
                  .test_accuracy = optional_number(json, "test_accuracy"),
                  .validation_loss = optional_number(json, "validation_loss"),
                  .read_as_asked = optional_number(json, "read_as_asked"),
                  .updated = !json.contains("skipped")};
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
