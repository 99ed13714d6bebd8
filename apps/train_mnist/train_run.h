#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "apps/cli/progress.h"
#include "apps/cli/results.h"
#include "apps/train_mnist/batch_source.h"
#include "apps/train_mnist/checkpoint.h"
#include "apps/train_mnist/run_directory.h"
#include "apps/train_mnist/train_log.h"
#include "apps/train_mnist/train_options.h"
#include "nn/autograd/trainer.h"
#include "weights/mnist_dataset.h"

namespace ebb {

// One training run in its directory, from start or resume to model.safetensors.
class TrainRun {
 public:
  TrainRun(Context& context, const TrainOptions& options);

  // Trains to the end. A signal ends it with Error (kInterrupt, kTerminate) after a checkpoint;
  // ten steps in a row without a finite loss end it with DivergedError.
  void run();

 private:
  void start_or_resume();
  bool try_resume(const CheckpointFile& checkpoint);
  LogEntry train_step();
  void skip_step(const autograd::StepResult& result);
  void save();
  void check_outputs(bool is_new) const;
  void open_log();
  void stop_if_asked();
  bool measures_accuracy() const { return options_.config.model == TrainModel::kClassifier; }
  // Null if a signal arrived before it was known.
  std::optional<double> test_accuracy() const;
  // The classifier's accuracy, the mean loss. A stop leaves the epoch open, and the resumed run
  // closes it.
  void close_epoch(const LogEntry& last);
  void show_epoch();  // its samples, where due
  // Progress and messages about it are shown to people, neither hidden nor for programs.
  bool talks() const;
  // Says that the run does something else than steps; whether a signal asked to stop.
  bool go_on(const std::string& doing) const;
  void write_model() const;
  void write_loss_curve() const;
  std::string samples_file(int64_t epoch) const;
  void print_results();

  Context& context_;
  TrainOptions options_;
  MnistDataset data_;       // read first: without data no directory is made
  MnistDataset test_data_;  // for accuracy or grids; empty where neither is due
  RunDirectory directory_;
  BatchSource batches_;
  autograd::Trainer trainer_;
  TrainProgress progress_;
  std::unique_ptr<TrainLog> log_;
  mutable Progress shown_;
  Results results_;
  int64_t total_steps_ = 0;
  int64_t first_step_ = 0;  // of this process
  int64_t skipped_in_a_row_ = 0;
  int64_t saved_step_ = -1;
};

}  // namespace ebb
