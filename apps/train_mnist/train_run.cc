#include "apps/train_mnist/train_run.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <iostream>
#include <limits>
#include <sstream>

#include "apps/train_mnist/run_data.h"
#include "apps/train_mnist/run_text.h"
#include "apps/training/signals.h"
#include "base/output_file.h"
#include "base/text.h"
#include "diffusion/train_log.h"
#include "nn/param_collector.h"

namespace ebb {
namespace {

constexpr int64_t kMaxSkippedInARow = 10;
constexpr int64_t kAccuracyImages = 512;  // between two looks at the signals
// When the speed of a run is known, and how long it takes at least to be worth a word.
constexpr int64_t kEstimateSteps = 10;
constexpr double kEstimateSeconds = 5, kEstimateLeast = 15;

std::string last_checkpoint_text(int64_t step) {
  return cat(
      step < 0 ? ". No checkpoint was written" : cat(". The last checkpoint is of step ", step),
      ". Start again with a smaller --lr, or with --lr-warmup-steps or --clip-norm");
}

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

// About the loss of a network that has learned nothing: the variance of its target.
double least_first_loss(const Objective& objective) {
  const bool is_image =
      objective.type == ObjectiveType::kDenoise || objective.type == ObjectiveType::kPureNoise;
  return is_image ? 0.1 : 1;
}

}  // namespace

TrainRun::TrainRun(Context& context, const TrainOptions& options)
    : context_(context),
      options_(options),
      data_(load_training_data(options_)),
      test_data_(load_test_data(options_, data_.count)),
      directory_(options.output),
      batches_(context, data_, options_.config),
      trainer_(context, make_network(options_.config),
               {.loss = options.config.model == TrainModel::kClassifier
                            ? autograd::Loss::kSoftmaxCrossEntropy
                            : autograd::Loss::kMse,
                .adam = {},
                .ema_decay = options.config.ema_decay,
                .clip_norm = options.config.clip_norm}),
      guard_(least_first_loss(options.config.objective)),
      shown_(options.progress),
      results_(std::cout, options.json) {
  total_steps_ = total_steps(options_.config, batches_.steps_per_epoch());
  const int64_t images = options_.settings.validation_images;
  if (!measures_accuracy() && images > 0 && test_data_.count > 0) {
    validation_ = std::make_unique<Validation>(context, test_data_, options_.config, images);
  }
  const std::string& classifier = options_.settings.classifier;
  if (classifier.empty()) return;
  classifier_ = std::make_unique<DigitClassifier>(load_classifier(context, classifier));
  EBB_CHECK(classifier_->classes() == options_.config.classes, UsageError, "--classifier ",
            path_label(classifier), ": has ", classifier_->classes(), " classes, the model has ",
            options_.config.classes, ". Use a classifier trained on the same data set");
}

void TrainRun::run() {
  directory_.remove_leftovers();
  start_or_resume();
  note_progress(progress_.step, saved_step_);
  note_resume_command(resume_command(options_));
  first_step_ = epoch_first_ = progress_.step;
  show_start();
  shown_.begin(total_steps_, {.name = "step", .first = first_step_, .has_bar = false});
  open_log();
  const LogEntry last = train_steps();
  save();
  if (last.step > 0) {
    shown_.finish([&] { return step_facts(last); });
  } else {
    shown_.finish();  // a run that was complete
  }
  write_loss_curve();
  write_model();
  print_results();
}

LogEntry TrainRun::train_steps() {
  // A run that stopped between the end of an epoch and its samples writes them now.
  if (progress_.step > 0 && ends_epoch()) show_epoch();
  stop_if_asked();
  start_ = epoch_start_ = std::chrono::steady_clock::now();
  LogEntry last;
  while (progress_.step < total_steps_) {
    last = train_step();
    if (ends_epoch()) {
      if (last.validation_loss || last.test_accuracy || !measures()) close_epoch(last);
      save();
      show_epoch();
      epoch_start_ = std::chrono::steady_clock::now();
      epoch_first_ = progress_.step;
    }
    if (take_save_request() || progress_.step % options_.settings.save_every == 0) save();
    stop_if_asked();
    show_estimate();
  }
  if (last.step > 0 && !ends_epoch()) {
    shown_.milestone(progress_.step, [&] { return step_facts(last); });
  }
  if (samples_are_due_at_end(options_, total_steps_, batches_.steps_per_epoch())) {
    save();
    draw_samples(last_samples_file(), cat("step ", progress_.step), SampleQuality::kFast);
    stop_if_asked();
  }
  return last;
}

void TrainRun::stop_if_asked() {
  if (!stop_requested()) return;
  if (progress_.step > 0) save();
  shown_.pause();
  const std::string where = cat("stopped after step ", progress_.step, " of ", total_steps_);
  const std::string command = resume_command(options_);
  if (saved_step_ == progress_.step) {
    throw Error(cat(where, ", which is saved. Continue with: ", command), stop_exit_code());
  }
  throw Error(where + (saved_step_ < 0 ? std::string(". Nothing was saved")
                                       : cat(". The last checkpoint is of step ", saved_step_,
                                             ". Continue from it with: ", command)),
              stop_exit_code());
}

// Nothing that another program or another run wrote is replaced, and what could not be written at
// the end is found at the start.
void TrainRun::check_outputs(bool is_new) const {
  if (is_new) {
    const std::string found = directory_.first_output();
    const std::string model = directory_.file("model.safetensors"),
                      log = directory_.file(kTrainLogName);
    // A run that ended before its first checkpoint left a log and nothing else.
    EBB_CHECK(found.empty() || (found == log && is_train_log(log)), UsageError, "--output ",
              path_label(options_.output), ": holds ", path_label(found),
              ", which a new run would replace. Choose another --output");
  }
  for (const char* name : {"model.safetensors", kTrainLogName, "loss.png"}) {
    check_output_file(directory_.file(name), Overwrite::kReplace);
  }
}

// A run that was stopped while an epoch was measured closes that epoch first.
void TrainRun::open_log() {
  const std::string path = directory_.file(kTrainLogName);
  LogEntry last{.step = progress_.step, .epoch = finished_epochs()};
  bool is_logged = false;
  for (const LogEntry& entry : read_train_log(path)) {
    if (entry.step > progress_.step) continue;
    if (entry.updated && std::isfinite(entry.loss)) guard_.add(entry.step, entry.loss);
    if (entry.step != progress_.step) continue;
    last = entry;
    is_logged = true;
  }
  const bool is_open = progress_.step > 0 && ends_epoch() &&
                       static_cast<int64_t>(progress_.epoch_losses.size()) < finished_epochs();
  const bool closes = is_open && (!measures() || measure(last));
  const bool again = is_logged && closes && measures();
  log_ = std::make_unique<TrainLog>(path, again ? progress_.step - 1 : progress_.step);
  if (again) log_->append(last);
  if (!closes) return;
  close_epoch(last);
  saved_step_ = -1;  // the checkpoint does not know that the epoch is closed
  save();
}

void TrainRun::start_or_resume() {
  const auto checkpoints = directory_.checkpoints();
  if (!checkpoints.empty() && options_.resume.empty()) {
    throw UsageError(cat("--output ", path_label(options_.output), ": holds a run at step ",
                         checkpoints.front().step,
                         ". Continue it with --resume auto, or choose another --output"));
  }
  check_outputs(checkpoints.empty());
  if (!options_.resume.empty() && options_.resume != "auto") {
    progress_ = load_checkpoint(options_.resume, trainer_, options_.config, data_.fingerprint,
                                options_.force_resume);
    return;
  }
  for (const CheckpointFile& checkpoint : checkpoints) {
    if (try_resume(checkpoint)) return;
  }
  EBB_CHECK(checkpoints.empty(), FormatError, "--output ", path_label(options_.output),
            ": none of its ", checkpoints.size(),
            " checkpoints can be read. Choose another --output to start afresh");
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
  saved_step_ = progress_.step;
  if (talks()) std::cerr << "resumed " << path_label(checkpoint.path) << '\n';
  return true;
}

autograd::StepResult TrainRun::compute_step(double lr) {
  const Batch& batch = batches_.stage_batch(progress_.step);
  return trainer_.captured_step(
      batch.inputs, batch.target, [&] { batches_.make_batch(batch); }, lr);
}

autograd::StepResult TrainRun::compute_parts(double lr) {
  for (int64_t part = 0; part < batches_.parts(progress_.step); ++part) {
    const Batch& batch = batches_.stage_part(progress_.step, part);
    trainer_.run_part(
        batch.inputs, batch.target, [&] { batches_.make_batch(batch); },
        batches_.share(progress_.step, batch));
  }
  return trainer_.finish_step(lr);
}

LogEntry TrainRun::train_step() {
  const auto start = std::chrono::steady_clock::now();
  const int64_t images = batches_.images(progress_.step);
  const int64_t steps_per_epoch = batches_.steps_per_epoch();
  const double lr = learning_rate(options_.config, progress_.step, steps_per_epoch);
  const bool is_whole = options_.config.micro_batch_size == 0;
  const autograd::StepResult result = is_whole ? compute_step(lr) : compute_parts(lr);

  const int64_t epoch = progress_.step / steps_per_epoch + 1;
  ++progress_.step;
  note_progress(progress_.step, saved_step_);
  LogEntry entry{.step = progress_.step,
                 .epoch = epoch,
                 .loss = result.loss,
                 .lr = lr,
                 .grad_norm = result.grad_norm,
                 .images_per_second = static_cast<double>(images) / seconds_since(start),
                 .updated = result.updated};
  const bool is_last = progress_.step == total_steps_;
  if (ends_epoch() || is_last) measure(entry);
  log_->append(entry);
  if (!result.updated) {
    skip_step(result);
    return entry;
  }
  skipped_in_a_row_ = 0;
  guard_.add(progress_.step, result.loss);
  stop_if_diverged();
  progress_.loss_sum += result.loss;
  ++progress_.loss_count;
  // The line of an epoch's end comes when the epoch is closed, that of the run's end last.
  if (!ends_epoch() && !is_last) {
    shown_.update(progress_.step, [&] { return step_facts(entry); });
  }
  return entry;
}

void TrainRun::stop_if_diverged() {
  if (!guard_.has_diverged(progress_.step == total_steps_)) return;
  shown_.pause();
  throw DivergedError(cat("step ", progress_.step, ": the loss is ", guard_.recent(),
                          " on average of the last steps, in the beginning it was ", guard_.first(),
                          last_checkpoint_text(saved_step_)));
}

bool TrainRun::measure(LogEntry& entry) {
  LogEntry found = entry;
  const auto goes_on = [&] { return go_on(cat("measuring epoch ", entry.epoch)); };
  try {
    if (measures_accuracy()) {
      found.test_accuracy = test_accuracy();
      if (!found.test_accuracy) return false;
    }
    if (validation_) {
      found.validation_loss = validation_->loss(trainer_, goes_on);
      if (!found.validation_loss) return false;
    }
    if (classifier_) {
      found.read_as_asked =
          read_as_asked(context_, trainer_, options_.config, *classifier_, goes_on);
      if (!found.read_as_asked) return false;
    }
  } catch (const DivergedError&) {
    found.read_as_asked = std::numeric_limits<double>::quiet_NaN();
  }
  entry = found;
  return true;
}

// With the weights that the final model would hold, through the inference graph.
std::optional<double> TrainRun::test_accuracy() const {
  DigitClassifier classifier(context_, trainer_.network(), trainer_.params().final_weights());
  std::vector<int64_t> labels;
  for (int64_t first = 0; first < test_data_.count; first += kAccuracyImages) {
    if (!go_on("measuring the accuracy")) return std::nullopt;
    const int64_t count = std::min(kAccuracyImages, test_data_.count - first);
    const std::vector<int64_t> part = classifier(part_of(test_data_, first, count)).labels;
    labels.insert(labels.end(), part.begin(), part.end());
  }
  return accuracy(labels, test_data_.labels);
}

void TrainRun::skip_step(const autograd::StepResult& result) {
  shown_.pause();
  const std::string parameter = trainer_.params().first_nonfinite_grad();
  const std::string what =
      cat("step ", progress_.step, ": loss ", result.loss, ", gradient norm ", result.grad_norm,
          parameter.empty() ? "" : ", first in the gradient of " + parameter,
          result.lost == 0 ? "" : cat(", ", result.lost, " numbers not finite or too large"));
  ++skipped_in_a_row_;
  if (skipped_in_a_row_ < kMaxSkippedInARow) {
    std::cerr << "warning: " << what << ": update skipped\n";
    return;
  }
  throw DivergedError(cat(what, ": ", kMaxSkippedInARow, " steps in a row without a finite loss",
                          last_checkpoint_text(saved_step_)));
}

// Keeps the last good checkpoints while updates are being skipped or the loss is exploding.
void TrainRun::save() {
  if (saved_step_ == progress_.step || skipped_in_a_row_ > 0 || !guard_.is_sound()) return;
  save_checkpoint(directory_.checkpoint_path(progress_.step), trainer_, progress_, options_.config,
                  options_.settings, data_.fingerprint);
  saved_step_ = progress_.step;
  note_progress(progress_.step, saved_step_);
  directory_.remove_old_checkpoints(options_.settings.keep_last, is_checkpoint);
}

void TrainRun::close_epoch(const LogEntry& last) {
  if (last.test_accuracy) progress_.test_accuracies.push_back(*last.test_accuracy);
  if (last.validation_loss) {
    // Epochs of an older version, or without test images, have none.
    progress_.validation_losses.resize(progress_.epoch_losses.size(),
                                       std::numeric_limits<double>::quiet_NaN());
    progress_.validation_losses.push_back(*last.validation_loss);
  }
  EpochSummary epoch{.mean_loss = progress_.loss_sum / static_cast<double>(progress_.loss_count)};
  if (const int64_t steps = progress_.step - epoch_first_; steps > 0) {
    epoch.seconds = seconds_since(epoch_start_);
    const int64_t images = std::min(steps * options_.config.batch_size, data_.count);
    epoch.images_per_second = static_cast<double>(images) / epoch.seconds;
  }
  shown_.milestone(progress_.step, [&] { return epoch_facts(last, epoch); });
  progress_.epoch_losses.push_back(epoch.mean_loss);
  progress_.loss_sum = 0;
  progress_.loss_count = 0;
}

void TrainRun::show_epoch() {
  const int64_t epoch = finished_epochs();
  if (!samples_are_due(options_, epoch, total_steps_, batches_.steps_per_epoch())) return;
  const bool is_quick = options_.settings.preset == Preset::kQuick;
  draw_samples(samples_file(epoch), cat("epoch ", epoch),
               is_quick ? SampleQuality::kFast : SampleQuality::kDefault);
}

void TrainRun::draw_samples(const std::string& path, const std::string& of, SampleQuality quality) {
  std::error_code ignored;
  if (stop_requested() || std::filesystem::exists(path, ignored)) return;
  shown_.pause();
  write_loss_curve();
  try {
    const bool is_written =
        write_sample_grid(context_, trainer_, options_, test_data_, path, of, quality,
                          [&] { return !go_on("drawing samples of " + of); });
    if (!is_written || !talks()) return;
    shown_.pause();
    std::cerr << "samples of " << of << ": " << path_label(path) << std::endl;
  } catch (const DivergedError& error) {
    std::cerr << "warning: no samples of " << of << ": " << error.what() << '\n';
  }
}

void TrainRun::show_start() {
  if (!talks()) return;
  const RunSize size{.parameters = count_trainable(list_params(trainer_.network())),
                     .images = data_.count,
                     .validation_images = validation_ ? validation_->images() : 0,
                     .steps_per_epoch = batches_.steps_per_epoch(),
                     .steps = total_steps_};
  std::string text = run_header(options_, size, context_);
  if (first_step_ >= total_steps_) {
    text += cat("complete: all ", total_steps_, " steps are done. --max-steps sets another end\n");
  }
  std::cerr << text << std::flush;
}

void TrainRun::show_estimate() {
  const int64_t done = progress_.step - first_step_;
  if (is_estimated_ || !talks() || done < kEstimateSteps) return;
  const double elapsed = seconds_since(start_);
  if (elapsed < kEstimateSeconds) return;
  is_estimated_ = true;
  const double left =
      elapsed / static_cast<double>(done) * static_cast<double>(total_steps_ - progress_.step);
  if (left < kEstimateLeast) return;
  shown_.pause();
  std::cerr << end_estimate(left) << std::endl;
}

bool TrainRun::talks() const {
  return options_.progress != ProgressMode::kNone && options_.progress != ProgressMode::kJson;
}

bool TrainRun::go_on(const std::string& doing) const {
  shown_.update(progress_.step, [&] { return std::vector<ProgressFact>{{"doing", doing, doing}}; });
  return !stop_requested();
}

}  // namespace ebb
