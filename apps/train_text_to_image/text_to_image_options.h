#pragma once

#include <optional>
#include <string>

#include "apps/cli/cli.h"
#include "apps/cli/progress.h"
#include "apps/train_text_to_image/text_to_image_config.h"

namespace ebb {

struct TextToImageOptions {
  std::string program = "train_text_to_image";  // as it was called
  TextToImageConfig config;
  std::string data, embeddings, prompts, output;
  std::string resume;  // "", "auto" or a checkpoint
  int64_t save_every = 500, keep_last = 2, sample_every = 2000;
  int64_t max_steps = 0;  // stop after so many steps in total; 0: at the end of the run
  std::string weights = "f32";
  DeviceFlags device;
  bool profile = false;
  bool json = false;
  ProgressMode progress = ProgressMode::kAuto;  // kNone with --quiet
};

// The command that goes on with the run.
std::string resume_command(const TextToImageOptions& options);

// Declares the flags on `command`; finish() turns what was parsed into options.
class TextToImageFlags {
 public:
  explicit TextToImageFlags(Command command);

  // A run that is resumed has what no flag says from its checkpoint.
  TextToImageOptions finish() const;

 private:
  void add_run_flags();
  void add_training_flags();
  void add_output_flags();
  TextToImageConfig config_of(const TextToImageConfig& start) const;

  Command command_;
  TextToImageOptions options_;
  std::string stage_ = "1", size_;
  std::optional<int64_t> batch_size_, steps_, warmup_, seed_;
  std::optional<double> lr_, lr_final_, weight_decay_, ema_decay_, clip_norm_, caption_dropout_;
  std::optional<double> vlb_weight_, max_shift_, max_scale_, max_rotation_;
  bool no_backgrounds_ = false, quiet_ = false;
  ProgressFlag progress_;
};

}  // namespace ebb
