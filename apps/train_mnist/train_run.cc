#include "apps/train_mnist/train_run.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <iomanip>
#include <iostream>
#include <sstream>

#include "apps/cli/progress.h"
#include "apps/train_mnist/final_model.h"
#include "apps/train_mnist/sample_grids.h"
#include "apps/train_mnist/signals.h"
#include "diffusion/eval/digit_classifier.h"
#include "image/plot_image.h"
#include "image/png.h"

namespace ebb {
namespace {

constexpr int64_t kMaxSkippedInARow = 10;

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace

TrainRun::TrainRun(Context& context, const TrainOptions& options)
    : context_(context),
      options_(options),
      data_(load_mnist(options.data, MnistSplit::kTrain)),
      test_data_(options.config.model == TrainModel::kClassifier
                     ? load_mnist(options.data, MnistSplit::kTest)
                     : MnistDataset{}),
      directory_(options.output),
      batches_(context, data_, options.config),
      trainer_(context, make_network(options.config),
               {.loss = options.config.model == TrainModel::kClassifier
                            ? autograd::Loss::kSoftmaxCrossEntropy
                            : autograd::Loss::kMse,
                .adam = {},
                .ema_decay = options.config.ema_decay,
                .clip_norm = options.config.clip_norm}) {
  total_steps_ = options_.config.epochs * batches_.steps_per_epoch();
  if (options_.config.max_steps > 0) {
    total_steps_ = std::min(total_steps_, options_.config.max_steps);
  }
}

void TrainRun::run() {
  directory_.remove_leftovers();
  start_or_resume();
  log_ = std::make_unique<TrainLog>(directory_.file("log.jsonl"), progress_.step);
  first_step_ = progress_.step;
  started_ = std::chrono::steady_clock::now();
  // A run that stopped between the end of an epoch and its samples writes them now.
  const int64_t steps_per_epoch = batches_.steps_per_epoch();
  if (progress_.step > 0 && progress_.step % steps_per_epoch == 0) show_epoch();
  while (progress_.step < total_steps_) {
    const LogEntry last = train_step();
    if (progress_.step % steps_per_epoch == 0) {
      close_epoch(last);
      save();
      show_epoch();
    }
    const bool stop = stop_requested();
    if (stop || take_save_request() || progress_.step % options_.save_every == 0) save();
    if (stop) {
      end_progress_line();
      throw Error(cat("stopped after step ", progress_.step, " of ", total_steps_,
                      ". Continue from the last checkpoint with --resume auto"),
                  stop_exit_code());
    }
  }
  save();
  end_progress_line();
  write_loss_curve();
  write_model();
}

void TrainRun::start_or_resume() {
  const auto checkpoints = directory_.checkpoints();
  if (options_.resume.empty()) {
    EBB_CHECK(checkpoints.empty(), UsageError, "--output ", options_.output,
              ": holds a run at step ", checkpoints.front().step,
              ". Continue it with --resume auto, or choose another --output");
  } else if (options_.resume != "auto") {
    progress_ = load_checkpoint(options_.resume, trainer_, options_.config, data_.fingerprint,
                                options_.force_resume);
    return;
  } else {
    for (const CheckpointFile& checkpoint : checkpoints) {
      if (try_resume(checkpoint)) return;
    }
    EBB_CHECK(checkpoints.empty(), FormatError, "--output ", options_.output, ": none of its ",
              checkpoints.size(),
              " checkpoints can be read. Choose another --output to start over");
  }
  trainer_.params().initialize(options_.config.seed);
}

// A damaged checkpoint is named and the one before it tried; one of another run is an error.
bool TrainRun::try_resume(const CheckpointFile& checkpoint) {
  try {
    check_checkpoint(checkpoint.path);
  } catch (const Error& error) {
    std::cerr << "warning: " << error.what() << "; trying the checkpoint before it\n";
    return false;
  }
  progress_ = load_checkpoint(checkpoint.path, trainer_, options_.config, data_.fingerprint,
                              options_.force_resume);
  if (!options_.quiet) std::cerr << "resumed " << checkpoint.path << '\n';
  return true;
}

LogEntry TrainRun::train_step() {
  const auto start = std::chrono::steady_clock::now();
  const Batch& batch = batches_.stage_batch(progress_.step);
  const int64_t steps_per_epoch = batches_.steps_per_epoch();
  const double lr = learning_rate(options_.config, progress_.step, steps_per_epoch);
  const autograd::StepResult result = trainer_.captured_step(
      batch.inputs, batch.target, [&] { batches_.make_batch(batch); }, lr);

  const int64_t epoch = progress_.step / steps_per_epoch + 1;
  ++progress_.step;
  LogEntry entry{.step = progress_.step,
                 .epoch = epoch,
                 .loss = result.loss,
                 .lr = lr,
                 .grad_norm = result.grad_norm,
                 .images_per_second = static_cast<double>(batch.images) / seconds_since(start),
                 .updated = result.updated};
  const bool ends_epoch = progress_.step % steps_per_epoch == 0;
  if (ends_epoch && test_data_.count > 0) entry.test_accuracy = test_accuracy();
  log_->append(entry);
  if (!result.updated) {
    skip_step(result);
    return entry;
  }
  skipped_in_a_row_ = 0;
  progress_.loss_sum += result.loss;
  ++progress_.loss_count;
  show_progress(entry);
  return entry;
}

// With the weights that the final model would hold, through the inference graph.
double TrainRun::test_accuracy() const {
  DigitClassifier classifier(context_, trainer_.network(), trainer_.params().final_weights());
  return accuracy(classifier(test_data_).labels, test_data_.labels);
}

void TrainRun::skip_step(const autograd::StepResult& result) {
  end_progress_line();
  const std::string parameter = trainer_.params().first_nonfinite_grad();
  const std::string what =
      cat("step ", progress_.step, ": loss ", result.loss, ", gradient norm ", result.grad_norm,
          parameter.empty() ? "" : ", first in the gradient of " + parameter);
  ++skipped_in_a_row_;
  if (skipped_in_a_row_ < kMaxSkippedInARow) {
    std::cerr << "warning: " << what << ": update skipped\n";
    return;
  }
  throw DivergedError(cat(what, ": ", kMaxSkippedInARow,
                          " steps in a row without a finite loss. The last checkpoint",
                          saved_step_ < 0 ? " is unchanged" : cat(" is of step ", saved_step_),
                          ". Use a smaller --lr, --lr-warmup-steps or --clip-norm"));
}

// Keeps the last good checkpoints while updates are being skipped.
void TrainRun::save() {
  if (saved_step_ == progress_.step || skipped_in_a_row_ > 0) return;
  save_checkpoint(directory_.checkpoint_path(progress_.step), trainer_, progress_, options_.config,
                  data_.fingerprint);
  saved_step_ = progress_.step;
  directory_.remove_old_checkpoints(options_.keep_last);
}

void TrainRun::close_epoch(const LogEntry& last) {
  if (last.test_accuracy) {
    progress_.test_accuracies.push_back(*last.test_accuracy);
    if (!options_.quiet) {
      end_progress_line();
      std::cerr << "epoch " << last.epoch << ": test accuracy " << std::fixed
                << std::setprecision(2) << 100 * *last.test_accuracy << " %\n"
                << std::defaultfloat << std::setprecision(6);
    }
  }
  progress_.epoch_losses.push_back(progress_.loss_sum / static_cast<double>(progress_.loss_count));
  progress_.loss_sum = 0;
  progress_.loss_count = 0;
}

void TrainRun::show_epoch() {
  const int64_t epoch = progress_.step / batches_.steps_per_epoch();
  if (!samples_due(epoch) || std::filesystem::exists(samples_file(epoch))) return;
  end_progress_line();
  write_loss_curve();
  try {
    write_sample_grid(context_, trainer_, options_, samples_file(epoch));
  } catch (const DivergedError& error) {
    std::cerr << "warning: no samples of epoch " << epoch << ": " << error.what() << '\n';
  }
}

bool TrainRun::samples_due(int64_t epoch) const {
  if (options_.config.model == TrainModel::kClassifier) return false;  // it generates nothing
  if (options_.sample_every > 0) return epoch % options_.sample_every == 0;
  const int64_t last_epoch = total_steps_ / batches_.steps_per_epoch();
  const auto sampled = sample_epochs(options_.preset, last_epoch);
  return std::find(sampled.begin(), sampled.end(), epoch) != sampled.end();
}

std::string TrainRun::samples_file(int64_t epoch) const {
  std::ostringstream name;
  name << "samples-epoch-" << std::setw(3) << std::setfill('0') << epoch << ".png";
  return directory_.file(name.str());
}

void TrainRun::show_progress(const LogEntry& entry) {
  if (options_.quiet || !stderr_terminal().interactive) return;
  const double elapsed = seconds_since(started_);
  std::ostringstream line;
  line << "step " << entry.step << '/' << total_steps_ << " | epoch " << entry.epoch << " | loss "
       << std::setprecision(4) << entry.loss << " | grad " << std::setprecision(3)
       << entry.grad_norm << " | lr " << entry.lr << " | " << std::fixed << std::setprecision(0)
       << entry.images_per_second << " images/s | ETA "
       << format_eta(entry.step - first_step_, total_steps_ - first_step_, elapsed);
  const std::string text = line.str();
  const size_t padding = progress_width_ > text.size() ? progress_width_ - text.size() : 0;
  std::cerr << '\r' << text << std::string(padding, ' ') << std::flush;
  progress_width_ = text.size();
}

void TrainRun::end_progress_line() {
  if (progress_width_ > 0) std::cerr << '\n';
  progress_width_ = 0;
}

void TrainRun::write_loss_curve() const {
  PlotSeries series{.label = "training loss", .x = {}, .y = {}};
  for (const LogEntry& entry : read_train_log(directory_.file("log.jsonl"))) {
    series.x.push_back(static_cast<double>(entry.step));
    series.y.push_back(entry.loss);
  }
  const LossPlot plot{.title = command_line(options_.config), .series = {series}};
  write_png(directory_.file("loss.png"), draw_loss_plot(plot), {}, Overwrite::kReplace);
}

void TrainRun::write_model() const {
  const std::string path = directory_.file("model.safetensors");
  write_final_model(path, trainer_, options_.config, progress_,
                    read_train_log(directory_.file("log.jsonl")));
  std::cout << path << '\n';
}

}  // namespace ebb
