#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "apps/cli/results.h"
#include "apps/train_text_to_image/captioned_images.h"
#include "apps/train_text_to_image/level_losses.h"
#include "apps/train_text_to_image/text_samples.h"
#include "apps/train_text_to_image/text_to_image_batches.h"
#include "apps/train_text_to_image/text_to_image_checkpoint.h"
#include "apps/train_text_to_image/text_to_image_options.h"
#include "apps/training/divergence.h"
#include "apps/training/run_directory.h"
#include "diffusion/train_log.h"
#include "nn/autograd/trainer.h"

namespace ebb {

// One run in its directory, from start or resume to a model as diffusers has them.
class TextToImageRun {
 public:
  TextToImageRun(Context& context, const TextToImageOptions& options);

  // Trains to the end. A signal ends it with Error (kInterrupt, kTerminate) after a checkpoint; ten
  // steps in a row without a finite loss, or with losses that explode, end it with DivergedError.
  void run();

 private:
  void start_or_resume();
  bool try_resume(const std::string& path);
  void check_outputs() const;
  void open_log();
  void show_start() const;
  void train_steps();
  LogEntry train_step();
  void check_step(const autograd::StepResult& result);
  void save();
  void stop_if_asked();
  void measure();  // losses by noise level, samples
  void append_levels(const std::vector<LevelLoss>& losses) const;
  void write_model();
  void print_results();
  TensorMap weights() const { return trainer_.params().final_weights(); }
  bool go_on(const std::string& doing);
  bool talks() const;
  std::string samples_file() const;

  Context& context_;
  TextToImageOptions options_;
  CaptionedImages data_;  // read first: without data no directory is made
  std::unique_ptr<TextSource> text_;
  std::string unet_config_;
  Network unet_, network_;
  RunInputs inputs_;
  std::vector<SamplePrompt> prompts_;
  RunDirectory directory_;
  TextToImageBatches batches_;
  autograd::Trainer trainer_;
  DivergenceGuard guard_;
  std::unique_ptr<TrainLog> log_;
  Progress shown_;
  Results results_;
  int64_t step_ = 0, first_step_ = 0, last_step_ = 0, saved_step_ = -1;
  int64_t skipped_in_a_row_ = 0;
};

}  // namespace ebb
