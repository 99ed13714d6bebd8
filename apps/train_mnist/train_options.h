#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "apps/cli/cli.h"
#include "apps/cli/progress.h"
#include "apps/train_mnist/run_settings.h"
#include "apps/train_mnist/train_config.h"

namespace ebb {

// The command line of train_mnist: the run itself, and how and where to carry it out.
struct TrainOptions {
  std::string program = "train_mnist";  // as it was called
  TrainConfig config;
  RunSettings settings;
  std::optional<int64_t> classes;  // to expect in the data; kClassesOfLabels: what the labels show
  std::string output;
  DeviceFlags device;
  std::string resume;  // "", "auto" or a checkpoint
  bool force_resume = false;
  bool profile = false;
  ProgressMode progress = ProgressMode::kAuto;  // kNone with --quiet
  bool json = false;
};

// The command that goes on with the run.
std::string resume_command(const TrainOptions& options);

// Declares the flags on `command`; finish() turns what was parsed into options.
class TrainFlags {
 public:
  explicit TrainFlags(Command command);

  // UsageError names a flag that does not fit the model. Of a run that is resumed everything that
  // no flag says is as the checkpoint has it.
  TrainOptions finish() const;

 private:
  void add_micro_batch_flags(Command command);
  void check_flags_of(TrainModel model) const;
  TrainConfig config_of(TrainModel model, Preset preset, const StoredRun* stored) const;
  int64_t micro_batch_size(int64_t batch_size, int64_t before) const;
  RunSettings settings_of(Preset preset, const StoredRun* stored) const;

  TrainOptions options_;  // fields that neither preset nor checkpoint sets
  Command command_;
  std::string model_, classes_, data_;
  std::optional<std::string> preset_, objective_, input_, classifier_;
  std::optional<int64_t> save_every_, keep_last_, sample_every_, validation_images_;
  std::optional<int64_t> hidden_, batch_size_, micro_batch_size_, accumulation_, epochs_,
      max_steps_, warmup_, timesteps_;
  std::optional<double> lr_, lr_decay_, sigma_, class_dropout_, ema_decay_, clip_norm_;
  std::optional<double> max_shift_, max_rotation_;
  std::optional<int64_t> seed_;
  bool overfit_batch_ = false;
  bool quiet_ = false;
  ProgressFlag progress_;
};

}  // namespace ebb
