#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "apps/cli/progress.h"
#include "apps/cli/results.h"
#include "apps/train_mnist/batch_source.h"
#include "apps/train_mnist/checkpoint.h"
#include "apps/train_mnist/sample_grids.h"
#include "apps/train_mnist/train_options.h"
#include "apps/train_mnist/validation.h"
#include "apps/training/divergence.h"
#include "apps/training/run_directory.h"
#include "diffusion/eval/digit_classifier.h"
#include "diffusion/train_log.h"
#include "nn/autograd/trainer.h"
#include "weights/mnist_dataset.h"

namespace ebb {

// One training run in its directory, from start or resume to model.safetensors.
class TrainRun {
 public:
  TrainRun(Context& context, const TrainOptions& options);

  // Trains to the end. A signal ends it with Error (kInterrupt, kTerminate) after a checkpoint; ten
  // steps in a row without a finite loss, or with losses that explode, end it with DivergedError.
  void run();

 private:
  void start_or_resume();
  bool try_resume(const CheckpointFile& checkpoint);
  // From start to end, or until a signal.
  LogEntry train_steps();
  LogEntry train_step();
  autograd::StepResult compute_step(double lr);
  autograd::StepResult compute_parts(double lr);
  void skip_step(const autograd::StepResult& result);
  void stop_if_diverged();
  void save();
  void check_outputs(bool is_new) const;
  void open_log();
  void stop_if_asked();
  int64_t finished_epochs() const { return progress_.step / batches_.steps_per_epoch(); }
  bool ends_epoch() const { return progress_.step % batches_.steps_per_epoch() == 0; }
  bool measures_accuracy() const { return options_.config.model == TrainModel::kClassifier; }
  // The figures of the weights after the last step of an epoch or of the run. False, with none, if
  // a signal arrived before they were known.
  bool measures() const { return measures_accuracy() || validation_ || classifier_; }
  bool measure(LogEntry& entry);
  std::optional<double> test_accuracy() const;
  // Keeps and shows figures and mean loss. A stop leaves the epoch open, and the resumed run closes
  // it.
  void close_epoch(const LogEntry& last);
  void show_epoch();  // its samples, where due
  void draw_samples(const std::string& path, const std::string& of, SampleQuality quality);
  void show_start();     // network, settings, data, device, output, length
  void show_estimate();  // once, when the speed is known
  // Progress and messages about it are shown to people, neither hidden nor for programs.
  bool talks() const;
  // Says that the run does something else than steps; whether a signal asked to stop.
  bool go_on(const std::string& doing) const;
  void write_model();
  void write_loss_curve() const;
  std::string samples_file(int64_t epoch) const;
  std::string last_samples_file() const;  // of a run that ends within an epoch
  void print_results();

  Context& context_;
  TrainOptions options_;
  MnistDataset data_;       // read first: without data no directory is made
  MnistDataset test_data_;  // for accuracy or grids; empty where neither is due
  RunDirectory directory_;
  BatchSource batches_;
  autograd::Trainer trainer_;
  std::unique_ptr<Validation> validation_;       // may be null
  std::unique_ptr<DigitClassifier> classifier_;  // that reads samples; may be null
  TrainProgress progress_;
  DivergenceGuard guard_;
  std::unique_ptr<TrainLog> log_;
  mutable Progress shown_;
  Results results_;
  bool is_estimated_ = false;
  std::chrono::steady_clock::time_point start_, epoch_start_;
  int64_t epoch_first_ = 0;  // step of this process at which the epoch began
  int64_t total_steps_ = 0;
  int64_t first_step_ = 0;  // of this process
  int64_t skipped_in_a_row_ = 0;
  int64_t saved_step_ = -1;
};

}  // namespace ebb
