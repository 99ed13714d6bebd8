#pragma once

#include <cstdint>
#include <fstream>
#include <optional>
#include <string>
#include <vector>

namespace ebb {

inline constexpr const char* kTrainLogName = "log.jsonl";  // in the directory of a run

struct LogEntry {
  int64_t step = 0;   // from 1
  int64_t epoch = 0;  // from 1
  double loss = 0;
  double lr = 0;
  double grad_norm = 0;
  double images_per_second = 0;
  // With the last step of an epoch and of the run:
  std::optional<double> test_accuracy = {};    // of the classifier
  std::optional<double> validation_loss = {};  // of the other models
  std::optional<double> read_as_asked = {};    // share of samples that a classifier reads right
  bool updated = true;  // false: the update was skipped because something was not finite
};

// The log of train_mnist: one JSON object a step. A value that is not finite is written as null.
class TrainLog {
 public:
  // Opens for appending; entries after `last_step` (of a run that went on past its last checkpoint)
  // are dropped first, so every step stands once.
  TrainLog(const std::string& path, int64_t last_step);

  void append(const LogEntry& entry);  // IoError when the disk is full

 private:
  std::string path_;
  std::ofstream file_;
};

// All entries of a log; lines that a crash cut short are left out.
std::vector<LogEntry> read_train_log(const std::string& path);

// False when a line but the last is no entry: then another program wrote the file.
bool is_train_log(const std::string& path);

}  // namespace ebb
