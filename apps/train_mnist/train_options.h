#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "apps/cli/cli.h"
#include "apps/cli/progress.h"
#include "apps/train_mnist/train_config.h"

namespace ebb {

// The command line of train_mnist: the run itself, and how and where to carry it out.
struct TrainOptions {
  TrainConfig config;
  Preset preset = Preset::kFa24;
  std::string data;                // empty: $EBB_DATA or ./data/mnist
  std::optional<int64_t> classes;  // to expect in the data; kClassesOfLabels: what the labels show
  std::string output;
  DeviceFlags device;
  std::string resume;  // "", "auto" or a checkpoint
  bool force_resume = false;
  int64_t save_every = 100;  // steps
  int64_t keep_last = 2;     // checkpoints
  int64_t sample_every = 0;  // epochs; 0: where the assignment requires samples
  bool profile = false;
  ProgressMode progress = ProgressMode::kAuto;  // kNone with --quiet
  bool json = false;
};

// Declares the flags on `command`; finish() turns what was parsed into options.
class TrainFlags {
 public:
  explicit TrainFlags(Command command);

  // UsageError names a flag that does not fit the model.
  TrainOptions finish() const;

 private:
  TrainOptions options_;  // fields that do not depend on the preset
  std::string model_, classes_;
  std::optional<std::string> preset_, objective_, input_;
  std::optional<int64_t> hidden_, batch_size_, epochs_, max_steps_, warmup_, timesteps_;
  std::optional<double> lr_, lr_decay_, sigma_, class_dropout_, ema_decay_, clip_norm_;
  std::optional<double> max_shift_, max_rotation_;
  int64_t seed_ = 0;
  bool overfit_batch_ = false;
  bool quiet_ = false;
  ProgressFlag progress_;
};

}  // namespace ebb
