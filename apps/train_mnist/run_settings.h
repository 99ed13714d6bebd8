#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "apps/train_mnist/train_config.h"
#include "apps/train_mnist/validation.h"

namespace ebb {

// Settings that change no result of a step: these may differ when a run goes on.
struct RunSettings {
  Preset preset = Preset::kFa24;
  std::string data;  // empty: $EBB_DATA or ./data/mnist
  int64_t save_every = 100;
  int64_t keep_last = 2;
  int64_t sample_every = 0;                         // epochs; 0: where the preset shows samples
  int64_t validation_images = Validation::kImages;  // 0: no validation
  std::string classifier;                           // that reads samples of each epoch; empty: none
};

// Both as a checkpoint stores them.
struct StoredRun {
  std::string path;  // of the checkpoint
  TrainConfig config;
  RunSettings settings;
};

// JSON for checkpoints: the settings and max_steps. The path of the data is made absolute, so that
// the run goes on from any directory.
std::string to_json(const RunSettings& settings, const TrainConfig& config);

// The run that `--resume resume` continues: the one that a checkpoint holds, or for "auto" the one
// of the newest checkpoint in `output` that can be read. Nothing when `resume` is empty or there is
// no checkpoint; FormatError or IoError when none can be read.
std::optional<StoredRun> find_stored_run(const std::string& resume, const std::string& output);

}  // namespace ebb
