#include "apps/train_mnist/train_options.h"

#include <charconv>
#include <limits>

#include "apps/cli/provenance.h"
#include "base/error.h"
#include "base/text.h"
#include "weights/idx.h"
#include "weights/mnist_dataset.h"

namespace ebb {
namespace {

constexpr double kHuge = std::numeric_limits<double>::max();

// Flow matching came with spring 2025: --objective flow alone selects the newest preset.
Preset choose_preset(const std::optional<std::string>& preset,
                     const std::optional<std::string>& objective, const StoredRun* stored) {
  if (preset) return parse_preset(*preset);
  if (stored != nullptr) return stored->settings.preset;
  return objective == "flow" ? Preset::kFa25 : Preset::kFa24;
}

// Presets that lead to the same settings are one: a checkpoint may not know which it was.
bool is_other_preset(Preset preset, const StoredRun& stored) {
  return preset != stored.settings.preset &&
         !(preset_config(stored.config.model, preset) ==
           preset_config(stored.config.model, stored.settings.preset));
}

// Nothing: the number that the data set's name implies. kClassesOfLabels: that of its labels.
std::optional<int64_t> parse_classes(const std::string& text) {
  if (text.empty()) return std::nullopt;
  if (text == "data") return kClassesOfLabels;
  int64_t classes = 0;
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, classes);
  EBB_CHECK(error == std::errc() && rest == end && classes >= 2 && classes <= kMaxLabels,
            UsageError, "--classes ", terminal_safe(text), ": must be 2..", kMaxLabels, " or data");
  return classes;
}

template <typename T>
void set(T& field, const std::optional<T>& flag) {
  if (flag) field = *flag;
}

}  // namespace

TrainFlags::TrainFlags(Command command) : command_(command) {
  add_choice(
      command, "--model", model_, {"denoiser", "time", "class", "classifier", "judge"},
      "Network to train (classifier: scores the samples in ebb eval; judge: its former name). "
      "Required for a new run");
  add_choice(
      command, "--preset,--course", preset_, {kPresetNames.begin(), kPresetNames.end()},
      "Settings to start from: those of a term of the course (default fa24: DDPM; sp25, fa25: "
      "flow matching), or quick: a small network whose samples are digits within a minute");
  add_choice(command, "--objective", objective_, {"ddpm", "flow"},
             "Training objective, for --model time and class");
  add_choice(command, "--input", input_, {"image", "noise"},
             "Input of the denoiser (image: a noisy digit)");

  command
      .add_option("--data", data_,
                  "Directory of the four MNIST files (default: $EBB_DATA, else data/mnist)")
      .takes(FlagValue::kDirectory);
  command
      .add_option("--classes", classes_,
                  "Number of classes, or data: as many as the labels show (default: 10, or the "
                  "classes of the EMNIST part)")
      .type_name("N|data");
  command.add_option("-o,--output", options_.output, "Run directory")
      .required()
      .takes(FlagValue::kDirectory);
  command
      .add_option("--resume", options_.resume,
                  "auto: continue from the newest valid checkpoint in --output, if any; or a "
                  "checkpoint file. Settings are the run's; flags that change none may be given")
      .takes(FlagValue::kWeights);
  command.add_flag(
      "--force-resume", options_.force_resume,
      "Resume even if flags or data differ from the run's; it is then not reproducible");

  command.start_group("Network and training");
  add_integer(command, "--hidden", hidden_, 1, 1024, "Width D of the network");
  add_integer(command, "--batch-size", batch_size_, 1, 60000, "Images per step");
  add_micro_batch_flags(command);
  add_integer(command, "--epochs", epochs_, 1, 100000, "Passes over the data");
  add_integer(command, "--max-steps", max_steps_, 0, int64_t{1} << 40,
              "Stop after this many steps in total (0: no limit)");
  add_number(command, "--lr", lr_, 0, 10, "Adam's learning rate");
  add_number(
      command, "--lr-decay", lr_decay_, 1e-6, 1,
      "Factor by which the learning rate decays exponentially over all epochs (1: constant)");
  add_integer(command, "--lr-warmup-steps", warmup_, 0, 1000000,
              "Steps of linear warm-up of the learning rate");
  add_number(command, "--sigma", sigma_, 0, 10, "Noise level of the denoiser");
  add_integer(command, "--timesteps", timesteps_, 2, 10000, "Timesteps T of the DDPM schedule");
  add_number(command, "--class-dropout", class_dropout_, 0, 1,
             "Probability of training an example without its class");
  add_number(command, "--ema-decay", ema_decay_, 0, 0.999999,
             "Decay of the moving average of the weights, which the final model uses (0: none)");
  add_number(command, "--clip-norm", clip_norm_, 0, kHuge, "Largest gradient norm (0: no clipping)")
      .type_name("NUMBER");
  add_number(command, "--max-shift", max_shift_, 0, 14,
             "Augmentation of the classifier: largest shift in pixels");
  add_number(command, "--max-rotation", max_rotation_, 0, 90,
             "Augmentation of the classifier: largest rotation in degrees");
  command.add_flag("--overfit-batch", overfit_batch_,
                   "Train on the first batch only, to test a setup");
  add_integer(command, "-s,--seed", seed_, 0, std::numeric_limits<int64_t>::max(),
              "Seed of initial weights, data order, and noise (0)")
      .type_name("INT");

  command.start_group(kOutputGroup);
  add_integer(command, "--save-every", save_every_, 1, 1000000000,
              "Steps between checkpoints (100)");
  add_integer(command, "--keep-last", keep_last_, 1, 1000, "Checkpoints to keep (2)");
  add_integer(command, "--sample-every", sample_every_, 0, 100000,
              "Epochs between sample grids (0: after the first, fifth, and last)");
  add_integer(command, "--validation-images", validation_images_, 0, 10000,
              "Test images for the validation loss after each epoch (256; 0: none)");
  command
      .add_option_function(
          "--classifier", [this](const std::string& name) { classifier_ = name; },
          "Classifier that reads 40 samples of the class model after each epoch")
      .takes(FlagValue::kModel);
  add_device_flags(command, options_.device);
  command.add_flag("--profile", options_.profile, "Print time by kernel and by layer at the end");
  command.add_flag("-q,--quiet", quiet_, "Show no progress, as --progress none");
  add_progress_flag(command, progress_);
  command.add_flag("--json", options_.json,
                   "Print one JSON object at the end instead of the model's name");
}

void TrainFlags::add_micro_batch_flags(Command command) {
  Flag micro = add_integer(command, "--micro-batch-size", micro_batch_size_, 1, 60000,
                           "Images of a step computed at once: less memory, and results that "
                           "depend on it (default: all)");
  add_integer(command, "--grad-accumulation", accumulation_, 1, 60000,
              "Micro-batches of a step, another way to say their size")
      .excludes(micro);
}

void TrainFlags::check_flags_of(TrainModel model) const {
  const bool denoiser = model == TrainModel::kDenoiser,
             classifier = model == TrainModel::kClassifier;
  EBB_CHECK(!((denoiser || classifier) && objective_), UsageError, "--objective ",
            objective_.value_or(""), ": applies to the time and class models, not to the ",
            to_string(model), ". Use --model time or --model class");
  EBB_CHECK(!(classifier && preset_), UsageError, "--preset ", preset_.value_or(""),
            ": the classifier is not part of the assignment. Leave --preset out");
  EBB_CHECK(classifier || !max_shift_, UsageError, "--max-shift: only for --model classifier");
  EBB_CHECK(classifier || !max_rotation_, UsageError,
            "--max-rotation: only for --model classifier");
  EBB_CHECK(denoiser || !input_, UsageError, "--input ", input_.value_or(""),
            ": only for --model denoiser");
  EBB_CHECK(denoiser || !sigma_, UsageError, "--sigma: only for --model denoiser");
  EBB_CHECK(model == TrainModel::kClass || !class_dropout_, UsageError,
            "--class-dropout: only for --model class");
  EBB_CHECK(model == TrainModel::kClass || !classifier_, UsageError, "--classifier ",
            terminal_safe(classifier_.value_or("")), ": only for --model class");
  EBB_CHECK(classifier || model == TrainModel::kClass || classes_.empty(), UsageError, "--classes ",
            terminal_safe(classes_), ": the ", to_string(model),
            " model knows no classes. Leave it out.");
}

// 0: the whole batch. A run that is resumed keeps its own.
int64_t TrainFlags::micro_batch_size(int64_t batch_size, int64_t before) const {
  EBB_CHECK(!micro_batch_size_ || *micro_batch_size_ <= batch_size, UsageError,
            "--micro-batch-size ", *micro_batch_size_, ": larger than the batch of ", batch_size,
            ". Use ", batch_size, " or less");
  EBB_CHECK(!accumulation_ || *accumulation_ <= batch_size, UsageError, "--grad-accumulation ",
            *accumulation_, ": a batch has ", batch_size, " images. Use ", batch_size, " or less");
  int64_t size = before > 0 ? before : batch_size;
  if (micro_batch_size_) size = *micro_batch_size_;
  if (accumulation_) size = (batch_size + *accumulation_ - 1) / *accumulation_;
  return size < batch_size ? size : 0;
}

TrainConfig TrainFlags::config_of(TrainModel model, Preset preset, const StoredRun* stored) const {
  const bool starts_anew = stored == nullptr || (preset_ && options_.force_resume);
  TrainConfig config = starts_anew ? preset_config(model, preset) : stored->config;
  config.model = model;
  if (objective_) {
    config.objective.type = objective_ == "flow" ? ObjectiveType::kFlow : ObjectiveType::kDdpm;
  }
  if (input_) {
    config.objective.type = input_ == "noise" ? ObjectiveType::kPureNoise : ObjectiveType::kDenoise;
  }
  EBB_CHECK(!timesteps_ || config.objective.type == ObjectiveType::kDdpm, UsageError,
            "--timesteps: only for the ddpm objective");
  set(config.objective.timesteps, timesteps_);
  set(config.objective.sigma, sigma_);
  set(config.hidden, hidden_);
  set(config.batch_size, batch_size_);
  config.micro_batch_size = micro_batch_size(config.batch_size, config.micro_batch_size);
  set(config.epochs, epochs_);
  set(config.max_steps, max_steps_);
  set(config.lr, lr_);
  set(config.lr_decay, lr_decay_);
  set(config.lr_warmup_steps, warmup_);
  set(config.class_dropout, class_dropout_);
  set(config.ema_decay, ema_decay_);
  set(config.clip_norm, clip_norm_);
  set(config.max_shift, max_shift_);
  set(config.max_rotation, max_rotation_);
  if (seed_) config.seed = static_cast<uint64_t>(*seed_);
  config.overfit_batch = config.overfit_batch || overfit_batch_;
  if (starts_anew || command_.option("--precision").given()) {
    config.precision = options_.device.precision();
  }
  return config;
}

RunSettings TrainFlags::settings_of(Preset preset, const StoredRun* stored) const {
  RunSettings settings = stored != nullptr ? stored->settings : RunSettings{};
  settings.preset = preset;
  if (!data_.empty()) settings.data = data_;
  set(settings.save_every, save_every_);
  set(settings.keep_last, keep_last_);
  set(settings.sample_every, sample_every_);
  set(settings.validation_images, validation_images_);
  set(settings.classifier, classifier_);
  return settings;
}

TrainOptions TrainFlags::finish() const {
  TrainOptions options = options_;
  EBB_CHECK(!options.force_resume || !options.resume.empty(), UsageError,
            "--force-resume: nothing is resumed. Add --resume auto or leave it out.");
  options.progress = quiet_ ? ProgressMode::kNone : progress_.mode();
  if (!model_.empty()) check_flags_of(parse_model(model_));
  const std::optional<StoredRun> stored = find_stored_run(options.resume, options.output);
  EBB_CHECK(stored || !model_.empty(), UsageError, "--model is required",
            options.resume.empty()
                ? ""
                : cat(": ", path_label(options.output), " holds no checkpoint to resume"),
            ". Use one of denoiser, time, class, classifier");
  const TrainModel model = model_.empty() ? stored->config.model : parse_model(model_);
  check_flags_of(model);
  options.classes = parse_classes(classes_);
  const StoredRun* const before = stored ? &*stored : nullptr;
  const Preset preset = choose_preset(preset_, objective_, before);
  EBB_CHECK(!stored || options.force_resume || !is_other_preset(preset, *stored), UsageError,
            "--preset ", to_string(preset), ": ", path_label(stored->path), " was started as ",
            to_string(stored->settings.preset), ". Leave --preset out");
  options.settings = settings_of(preset, before);
  options.config = config_of(model, preset, before);
  if (stored && !options.classes && options.config.classes != 10) {
    options.classes = options.config.classes;
  }
  options.device.precision_name = to_string(options.config.precision);
  EBB_CHECK(options.config.precision != Precision::kF16, UsageError,
            "--precision f16: small gradients vanish in it. Train with --precision bf16");
  return options;
}

std::string resume_command(const TrainOptions& options) {
  return shell_command({options.program, "--resume", "auto", "-o", options.output});
}

}  // namespace ebb
