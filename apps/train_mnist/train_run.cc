#include "apps/train_mnist/train_run.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <iomanip>
#include <iostream>
#include <sstream>

#include "apps/cli/build_id.h"
#include "apps/train_mnist/final_model.h"
#include "apps/train_mnist/sample_grids.h"
#include "apps/train_mnist/signals.h"
#include "base/output_file.h"
#include "base/text.h"
#include "diffusion/eval/digit_classifier.h"
#include "image/plot_image.h"
#include "image/png.h"

namespace ebb {
namespace {

constexpr int64_t kMaxSkippedInARow = 10;
constexpr int64_t kAccuracyImages = 512;  // between two looks at the signals

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

bool knows_classes(TrainModel model) {
  return model == TrainModel::kClass || model == TrainModel::kClassifier;
}

// Also settles how many classes the run has.
MnistDataset load_training_data(TrainOptions& options) {
  const bool labeled = knows_classes(options.config.model);
  MnistDataset data = load_mnist(options.data, MnistSplit::kTrain,
                                 labeled ? options.classes : std::optional(kClassesOfLabels));
  if (labeled) options.config.classes = data.classes;
  return data;
}

int64_t total_steps_of(const TrainConfig& config, int64_t steps_per_epoch) {
  const int64_t steps = config.epochs * steps_per_epoch;
  return config.max_steps > 0 ? std::min(steps, config.max_steps) : steps;
}

bool samples_are_due(const TrainOptions& options, int64_t epoch, int64_t last_epoch) {
  if (options.config.model == TrainModel::kClassifier) return false;  // it draws nothing
  if (options.sample_every > 0) return epoch % options.sample_every == 0;
  const auto shown = sample_epochs(options.preset, last_epoch);
  return std::find(shown.begin(), shown.end(), epoch) != shown.end();
}

// Before the first step, so that a missing file shows at once.
MnistDataset load_test_data(const TrainOptions& options, int64_t images) {
  const TrainConfig& config = options.config;
  if (config.model == TrainModel::kClassifier) {
    return load_mnist(options.data, MnistSplit::kTest, config.classes);
  }
  if (config.model != TrainModel::kDenoiser) return {};
  const int64_t steps_per_epoch = (images + config.batch_size - 1) / config.batch_size;
  const int64_t last_epoch = total_steps_of(config, steps_per_epoch) / steps_per_epoch;
  for (int64_t epoch = 1; epoch <= last_epoch; ++epoch) {
    if (samples_are_due(options, epoch, last_epoch)) {
      return load_mnist(options.data, MnistSplit::kTest, kClassesOfLabels);
    }
  }
  return {};
}

// Images [first, first + count) of a data set.
MnistDataset part_of(const MnistDataset& data, int64_t first, int64_t count) {
  const auto pixels = data.images.begin() + first * MnistDataset::kPixels;
  const auto labels = data.labels.begin() + first;
  return {.count = count,
          .images = {pixels, pixels + count * MnistDataset::kPixels},
          .labels = {labels, labels + count},
          .fingerprint = data.fingerprint,
          .classes = data.classes};
}

std::string short_number(double value, int digits) {
  std::ostringstream text;
  text << std::setprecision(digits) << value;
  return text.str();
}

// "epoch 1 | loss 0.0812 | 164 images/s", of a finished epoch with its mean loss.
std::vector<ProgressFact> facts_of(const LogEntry& entry, std::optional<double> epoch_loss) {
  std::vector<ProgressFact> facts{{"epoch", entry.epoch, cat("epoch ", entry.epoch)},
                                  {"loss", entry.loss, "loss " + short_number(entry.loss, 4)}};
  if (epoch_loss) {
    facts.push_back({"epoch_loss", *epoch_loss, "mean loss " + short_number(*epoch_loss, 4)});
  }
  if (entry.test_accuracy) {
    facts.push_back({"test_accuracy", *entry.test_accuracy,
                     cat("accuracy ", short_number(100 * *entry.test_accuracy, 4), " %")});
  }
  facts.push_back(
      {"grad_norm", entry.grad_norm, "grad " + short_number(entry.grad_norm, 3), false});
  facts.push_back({"lr", entry.lr, "lr " + short_number(entry.lr, 3), false});
  facts.push_back({"images_per_second", entry.images_per_second,
                   cat(std::llround(entry.images_per_second), " images/s")});
  return facts;
}

void print_accuracy(int64_t epoch, double accuracy) {
  std::cerr << "epoch " << epoch << ": test accuracy " << std::fixed << std::setprecision(2)
            << 100 * accuracy << " %\n"
            << std::defaultfloat << std::setprecision(6);
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
      shown_(options.progress),
      results_(std::cout, options.json) {
  total_steps_ = total_steps_of(options_.config, batches_.steps_per_epoch());
}

void TrainRun::run() {
  directory_.remove_leftovers();
  start_or_resume();
  note_progress(progress_.step, saved_step_);
  first_step_ = progress_.step;
  shown_.begin(total_steps_, {.name = "step", .first = first_step_, .has_bar = false});
  open_log();
  // A run that stopped between the end of an epoch and its samples writes them now.
  const int64_t steps_per_epoch = batches_.steps_per_epoch();
  if (progress_.step > 0 && progress_.step % steps_per_epoch == 0) show_epoch();
  stop_if_asked();
  LogEntry last;
  while (progress_.step < total_steps_) {
    last = train_step();
    if (progress_.step % steps_per_epoch == 0) {
      if (last.test_accuracy || !measures_accuracy()) close_epoch(last);
      save();
      show_epoch();
    }
    if (take_save_request() || progress_.step % options_.save_every == 0) save();
    stop_if_asked();
  }
  save();
  if (last.step > 0) {
    shown_.finish([&] { return facts_of(last, std::nullopt); });
  } else {
    shown_.finish();  // a run that was complete
  }
  write_loss_curve();
  write_model();
  print_results();
}

void TrainRun::stop_if_asked() {
  if (!stop_requested()) return;
  if (progress_.step > 0) save();
  shown_.pause();
  const std::string where = cat("stopped after step ", progress_.step, " of ", total_steps_);
  if (saved_step_ == progress_.step) {
    throw Error(where + ", which is saved. Continue with --resume auto", stop_exit_code());
  }
  throw Error(where + (saved_step_ < 0 ? std::string(". Nothing was saved")
                                       : cat(". The last checkpoint is of step ", saved_step_,
                                             ". Continue from it with --resume auto")),
              stop_exit_code());
}

// Nothing that another program or another run wrote is replaced, and what could not be written at
// the end is found at the start.
void TrainRun::check_outputs(bool is_new) const {
  if (is_new) {
    const std::string found = directory_.first_output();
    const std::string model = directory_.file("model.safetensors"),
                      log = directory_.file("log.jsonl");
    // A run that ended before its first checkpoint left a log and nothing else.
    EBB_CHECK(found.empty() || (found == log && is_train_log(log)), UsageError, "--output ",
              path_label(options_.output), ": holds ", path_label(found),
              ", which a new run would replace. Choose another --output");
  }
  for (const char* name : {"model.safetensors", "log.jsonl", "loss.png"}) {
    check_output_file(directory_.file(name), Overwrite::kReplace);
  }
}

// A run that was stopped while the accuracy of an epoch was measured closes that epoch first.
void TrainRun::open_log() {
  const std::string path = directory_.file("log.jsonl");
  const int64_t epochs = progress_.step / batches_.steps_per_epoch();
  const bool is_open =
      measures_accuracy() && static_cast<int64_t>(progress_.test_accuracies.size()) < epochs;
  LogEntry last{.step = progress_.step, .epoch = epochs};
  bool is_logged = false;
  for (const LogEntry& entry : is_open ? read_train_log(path) : std::vector<LogEntry>()) {
    if (entry.step != progress_.step) continue;
    last = entry;
    is_logged = true;
  }
  if (is_open) last.test_accuracy = test_accuracy();
  const bool again = is_logged && last.test_accuracy.has_value();
  log_ = std::make_unique<TrainLog>(path, again ? progress_.step - 1 : progress_.step);
  if (again) log_->append(last);
  if (!last.test_accuracy) return;
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

LogEntry TrainRun::train_step() {
  const auto start = std::chrono::steady_clock::now();
  const Batch& batch = batches_.stage_batch(progress_.step);
  const int64_t steps_per_epoch = batches_.steps_per_epoch();
  const double lr = learning_rate(options_.config, progress_.step, steps_per_epoch);
  const autograd::StepResult result = trainer_.captured_step(
      batch.inputs, batch.target, [&] { batches_.make_batch(batch); }, lr);

  const int64_t epoch = progress_.step / steps_per_epoch + 1;
  ++progress_.step;
  note_progress(progress_.step, saved_step_);
  LogEntry entry{.step = progress_.step,
                 .epoch = epoch,
                 .loss = result.loss,
                 .lr = lr,
                 .grad_norm = result.grad_norm,
                 .images_per_second = static_cast<double>(batch.images) / seconds_since(start),
                 .updated = result.updated};
  const bool ends_epoch = progress_.step % steps_per_epoch == 0;
  if (ends_epoch && measures_accuracy()) entry.test_accuracy = test_accuracy();
  log_->append(entry);
  if (!result.updated) {
    skip_step(result);
    return entry;
  }
  skipped_in_a_row_ = 0;
  progress_.loss_sum += result.loss;
  ++progress_.loss_count;
  // The line of an epoch's end comes when the epoch is closed.
  if (!ends_epoch) {
    shown_.update(progress_.step, [&] { return facts_of(entry, std::nullopt); });
  }
  return entry;
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
  note_progress(progress_.step, saved_step_);
  directory_.remove_old_checkpoints(options_.keep_last, is_checkpoint);
}

void TrainRun::close_epoch(const LogEntry& last) {
  if (last.test_accuracy) {
    progress_.test_accuracies.push_back(*last.test_accuracy);
    if (talks()) {
      shown_.pause();
      print_accuracy(last.epoch, *last.test_accuracy);
    }
  }
  const double loss = progress_.loss_sum / static_cast<double>(progress_.loss_count);
  shown_.milestone(progress_.step, [&] { return facts_of(last, loss); });
  progress_.epoch_losses.push_back(loss);
  progress_.loss_sum = 0;
  progress_.loss_count = 0;
}

void TrainRun::show_epoch() {
  const int64_t epoch = progress_.step / batches_.steps_per_epoch();
  const int64_t last_epoch = total_steps_ / batches_.steps_per_epoch();
  std::error_code ignored;
  if (stop_requested() || !samples_are_due(options_, epoch, last_epoch) ||
      std::filesystem::exists(samples_file(epoch), ignored)) {
    return;
  }
  shown_.pause();
  write_loss_curve();
  try {
    write_sample_grid(context_, trainer_, options_, test_data_, samples_file(epoch),
                      [&] { return !go_on(cat("drawing samples of epoch ", epoch)); });
  } catch (const DivergedError& error) {
    std::cerr << "warning: no samples of epoch " << epoch << ": " << error.what() << '\n';
  }
}

std::string TrainRun::samples_file(int64_t epoch) const {
  std::ostringstream name;
  name << "samples-epoch-" << std::setw(3) << std::setfill('0') << epoch << ".png";
  return directory_.file(name.str());
}

bool TrainRun::talks() const {
  return options_.progress != ProgressMode::kNone && options_.progress != ProgressMode::kJson;
}

bool TrainRun::go_on(const std::string& doing) const {
  shown_.update(progress_.step, [&] { return std::vector<ProgressFact>{{"doing", doing, doing}}; });
  return !stop_requested();
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
  results_.text() << path_label(path) << '\n';
}

// docs/terminal.md describes the object.
void TrainRun::print_results() {
  if (!options_.json) return;
  const std::vector<LogEntry> log = read_train_log(directory_.file("log.jsonl"));
  results_.set("command", command_line(options_.config));
  results_.set("version", program_version());
  results_.set("build", build_commit());
  results_.set("model", to_string(options_.config.model));
  results_.set("seed", options_.config.seed);
  results_.set("device", to_string(context_.device()));
  results_.set("dtype", to_string(context_.precision()));
  results_.set("steps", progress_.step);
  results_.set("first_step", first_step_);
  results_.set("loss", log.empty() ? Json() : Json(log.back().loss));
  results_.set("epoch_losses", progress_.epoch_losses);
  if (measures_accuracy()) results_.set("test_accuracies", progress_.test_accuracies);
  results_.add_file(directory_.file("model.safetensors"), "model");
  results_.add_file(directory_.file("log.jsonl"), "log");
  results_.add_file(directory_.file("loss.png"), "plot");
  for (const CheckpointFile& checkpoint : directory_.checkpoints()) {
    results_.add_file(checkpoint.path, "checkpoint", {{"step", checkpoint.step}});
  }
  const int64_t epochs = progress_.step / batches_.steps_per_epoch();
  for (int64_t epoch = 1; epoch <= epochs; ++epoch) {
    std::error_code ignored;
    if (!samples_are_due(options_, epoch, epochs) ||
        !std::filesystem::exists(samples_file(epoch), ignored)) {
      continue;
    }
    results_.add_file(samples_file(epoch), "samples", {{"epoch", epoch}});
  }
  results_.print();
}

}  // namespace ebb
