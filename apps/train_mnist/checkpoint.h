#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "apps/train_mnist/run_settings.h"
#include "apps/train_mnist/train_config.h"
#include "apps/training/training_state.h"
#include "nn/autograd/trainer.h"

namespace ebb {

// Progress of a run, besides the trainer's own state.
struct TrainProgress {
  int64_t step = 0;     // steps done; the data position and all random counters follow from it
  double loss_sum = 0;  // over the updates of the current epoch
  int64_t loss_count = 0;
  std::vector<double> epoch_losses;       // mean loss of each finished epoch, NaN without an update
  std::vector<double> test_accuracies;    // of the classifier, after each finished epoch
  std::vector<double> validation_losses;  // of the other models, NaN where it was not measured
};

// A training state (apps/training/training_state.h) with the config, how the run is carried out,
// the data set's fingerprint and the progress.
void save_checkpoint(const std::string& path, const autograd::Trainer& trainer,
                     const TrainProgress& progress, const TrainConfig& config,
                     const RunSettings& settings, const std::string& dataset_fingerprint);

// Restores a trainer. FormatError for a damaged file, and for one of another config or data set
// unless `force`; the message names both values.
TrainProgress load_checkpoint(const std::string& path, autograd::Trainer& trainer,
                              const TrainConfig& config, const std::string& dataset_fingerprint,
                              bool force);

}  // namespace ebb
