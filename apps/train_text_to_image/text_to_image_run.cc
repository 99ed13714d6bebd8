#include "apps/train_text_to_image/text_to_image_run.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <iomanip>
#include <iostream>
#include <sstream>

#include "apps/cli/loss_series.h"
#include "apps/train_text_to_image/text_to_image_files.h"
#include "apps/train_text_to_image/text_to_image_network.h"
#include "apps/training/signals.h"
#include "apps/training/training_state.h"
#include "base/output_file.h"
#include "base/text.h"
#include "image/plot_image.h"
#include "image/png.h"

namespace ebb {
namespace {

constexpr int64_t kMaxSkippedInARow = 10, kSamples = 16, kMeasuredImages = 32;
constexpr const char* kLevelsName = "levels.jsonl";
constexpr const char* kModelName = "model";
// The mean over some steps of the hybrid loss of a network that has learned nothing: 1 for the
// noise and, where an image has the last timestep, some 25 for the variance (ten times as much
// of a small batch).
constexpr double kLeastFirstLoss = 10;

// Twice the side where the images are made smaller, so that turning them blurs nothing.
int stored_side(const TextToImageConfig& config) {
  const int64_t side = image_side(unet_size(config.size), config.stage);
  return static_cast<int>(config.stage == 1 ? 2 * side : side);
}

std::vector<SamplePrompt> read_prompts(const TextToImageOptions& options,
                                       const CaptionedImages& data) {
  const int small = stored_side(options.config) / 2;
  const bool enlarges = options.config.stage == 2;
  std::vector<SamplePrompt> prompts =
      spread_prompts(data, kSamples, enlarges ? std::optional(small) : std::nullopt);
  if (options.prompts.empty()) return prompts;
  std::ifstream file(options.prompts);
  EBB_CHECK(file.good(), IoError, "--prompts ", path_label(options.prompts), ": cannot be read");
  const std::vector<SamplePrompt> images = std::exchange(prompts, {});
  for (std::string line; std::getline(file, line);) {
    if (line.empty()) continue;
    prompts.push_back({line, images.at(prompts.size() % images.size()).small});
  }
  EBB_CHECK(!prompts.empty(), FormatError, "--prompts ", path_label(options.prompts),
            ": holds no prompts, expected one on each line");
  return prompts;
}

std::vector<std::string> texts_of(const std::vector<SamplePrompt>& prompts) {
  std::vector<std::string> texts{""};
  for (const SamplePrompt& prompt : prompts) texts.push_back(prompt.text);
  std::sort(texts.begin(), texts.end());
  texts.erase(std::unique(texts.begin(), texts.end()), texts.end());
  return texts;
}

// The first captions of the images whose loss is measured.
std::vector<std::string> measured_texts(const CaptionedImages& data) {
  std::vector<std::string> texts;
  for (int64_t i = 0; i < std::min(kMeasuredImages, data.count()); ++i) {
    const std::vector<int32_t>& captions = data.captions.at(static_cast<size_t>(i));
    texts.push_back(data.texts.at(static_cast<size_t>(captions.front())));
  }
  return texts;
}

std::vector<ProgressFact> facts_of(const LogEntry& entry) {
  const auto number = [](const char* name, double value, int digits) {
    std::ostringstream text;
    text << name << ' ' << std::setprecision(digits) << value;
    return text.str();
  };
  return {{"epoch", entry.epoch, cat("epoch ", entry.epoch)},
          {"loss", entry.loss, number("loss", entry.loss, 4)},
          {"grad_norm", entry.grad_norm, number("grad", entry.grad_norm, 3), false},
          {"lr", entry.lr, number("lr", entry.lr, 3), false},
          {"images_per_second", entry.images_per_second,
           cat(std::llround(entry.images_per_second), " images/s")}};
}

}  // namespace

TextToImageRun::TextToImageRun(Context& context, const TextToImageOptions& options)
    : context_(context),
      options_(options),
      data_(load_captioned_images(options.data, stored_side(options.config))),
      text_(embedding_file(context, options.embeddings, data_.texts)),
      unet_config_(unet_config(unet_size(options.config.size), options.config.stage, *text_)),
      unet_(text_to_image_unet(unet_config_, options.config.stage, text_->tokens())),
      network_(training_network(unet_, *text_, static_cast<float>(options.config.vlb_weight))),
      inputs_{data_.fingerprint, text_->fingerprint()},
      prompts_(read_prompts(options, data_)),
      directory_(options.output),
      batches_(context, data_, options.config, network_, *text_),
      trainer_(context, network_,
               {.loss = autograd::Loss::kOutput,
                .adam = {.weight_decay = options.config.weight_decay},
                .ema_decay = options.config.ema_decay,
                .clip_norm = options.config.clip_norm}),
      guard_(kLeastFirstLoss),
      shown_(options.progress),
      results_(std::cout, options.json) {
  text_->embeddings(texts_of(prompts_), {});  // names a prompt that has no states
  last_step_ = options.config.steps;
  if (options.max_steps > 0) last_step_ = std::min(last_step_, options.max_steps);
}

void TextToImageRun::run() {
  directory_.remove_leftovers();
  start_or_resume();
  first_step_ = step_;
  note_progress(step_, saved_step_);
  note_resume_command(resume_command(options_));
  show_start();
  shown_.begin(last_step_, {.name = "step", .first = first_step_, .has_bar = false});
  open_log();
  train_steps();
  save();
  shown_.finish();
  write_model();
  print_results();
}

void TextToImageRun::check_outputs() const {
  const std::string log = directory_.file(kTrainLogName);
  std::string found = directory_.first_output();
  std::error_code ignored;
  if (found.empty() && std::filesystem::exists(directory_.file(kModelName), ignored)) {
    found = directory_.file(kModelName);
  }
  EBB_CHECK(found.empty() || (found == log && is_train_log(log)), UsageError, "--output ",
            path_label(options_.output), ": holds ", path_label(found),
            ", which a new run would replace. Choose another --output");
}

void TextToImageRun::start_or_resume() {
  const std::vector<CheckpointFile> checkpoints = directory_.checkpoints();
  if (!checkpoints.empty() && options_.resume.empty()) {
    throw UsageError(cat("--output ", path_label(options_.output), ": holds a run at step ",
                         checkpoints.front().step,
                         ". Continue it with --resume auto, or choose another --output"));
  }
  if (checkpoints.empty()) check_outputs();
  for (const char* name : {kTrainLogName, kLevelsName, "loss.png"}) {
    check_output_file(directory_.file(name), Overwrite::kReplace);
  }
  if (!options_.resume.empty() && options_.resume != "auto") {
    step_ = load_text_to_image_checkpoint(options_.resume, trainer_, options_.config, inputs_);
    return;
  }
  for (const CheckpointFile& checkpoint : checkpoints) {
    if (try_resume(checkpoint.path)) return;
  }
  EBB_CHECK(checkpoints.empty(), FormatError, "--output ", path_label(options_.output),
            ": none of its ", checkpoints.size(),
            " checkpoints can be read. Choose another --output to start afresh");
  trainer_.params().initialize(options_.config.seed);
}

// A damaged checkpoint is named and the one before it tried; one of another run is an error.
bool TextToImageRun::try_resume(const std::string& path) {
  try {
    check_checkpoint(path);
  } catch (const Error& error) {
    std::cerr << "warning: " << error.what() << "; trying the checkpoint before it\n";
    return false;
  }
  step_ = load_text_to_image_checkpoint(path, trainer_, options_.config, inputs_);
  saved_step_ = step_;
  if (talks()) std::cerr << "resumed " << path_label(path) << '\n';
  return true;
}

void TextToImageRun::open_log() {
  const std::string path = directory_.file(kTrainLogName);
  for (const LogEntry& entry : read_train_log(path)) {
    const bool counts = entry.step <= step_ && entry.updated && std::isfinite(entry.loss);
    if (counts) guard_.add(entry.step, entry.loss);
  }
  log_ = std::make_unique<TrainLog>(path, step_);
}

void TextToImageRun::show_start() const {
  if (!talks()) return;
  const TextToImageConfig& config = options_.config;
  const int64_t side = image_side(unet_size(config.size), config.stage);
  std::cerr << "network   UNet of DeepFloyd IF's stage " << config.stage << ", size " << config.size
            << ", " << side << " x " << side << ", "
            << count_trainable(list_params(trainer_.network())) << " parameters\n"
            << "data      " << path_label(options_.data) << ": " << data_.count() << " images, "
            << data_.texts.size() - 1 << " captions\n"
            << "device    " << to_string(context_.device()) << ", "
            << to_string(context_.precision()) << "\n"
            << "length    " << last_step_ << " steps, " << batches_.steps_per_epoch()
            << " an epoch\n"
            << std::flush;
}

void TextToImageRun::train_steps() {
  stop_if_asked();
  const int64_t every = options_.sample_every;
  // A run that stopped between a step and its samples draws them now.
  if (every > 0 && step_ > 0 && step_ % every == 0) measure();
  while (step_ < last_step_) {
    const LogEntry entry = train_step();
    shown_.update(step_, [&] { return facts_of(entry); });
    if (take_save_request() || step_ % options_.save_every == 0) save();
    stop_if_asked();
    if (every > 0 && step_ % every == 0) {
      save();
      measure();
      stop_if_asked();
    }
  }
}

LogEntry TextToImageRun::train_step() {
  const auto start = std::chrono::steady_clock::now();
  const TensorMap& inputs = batches_.stage(step_);
  const double lr = learning_rate(options_.config, step_);
  // The batch is on the device already, under an address of its own for each size.
  const autograd::StepResult result = trainer_.captured_step(
      inputs, inputs.at(kNoiseInput), [] {}, lr);
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  const auto images = static_cast<double>(inputs.at(kNoiseInput).shape()[0]);
  LogEntry entry{.step = step_ + 1,
                 .epoch = step_ / batches_.steps_per_epoch() + 1,
                 .loss = result.loss,
                 .lr = lr,
                 .grad_norm = result.grad_norm,
                 .images_per_second = images / seconds,
                 .updated = result.updated};
  ++step_;
  note_progress(step_, saved_step_);
  log_->append(entry);
  check_step(result);
  return entry;
}

void TextToImageRun::check_step(const autograd::StepResult& result) {
  const std::string advice =
      cat(saved_step_ < 0 ? std::string(". No checkpoint was written")
                          : cat(". The last checkpoint is of step ", saved_step_),
          ". Start again with a smaller --lr or a smaller --clip-norm");
  if (result.updated) {
    skipped_in_a_row_ = 0;
    guard_.add(step_, result.loss);
    if (!guard_.has_diverged(step_ == last_step_)) return;
    shown_.pause();
    throw DivergedError(cat("step ", step_, ": the loss is ", guard_.recent(),
                            " on average of the last steps, in the beginning it was ",
                            guard_.first(), advice));
  }
  shown_.pause();
  const std::string what =
      cat("step ", step_, ": loss ", result.loss, ", gradient norm ", result.grad_norm);
  if (++skipped_in_a_row_ >= kMaxSkippedInARow) {
    throw DivergedError(
        cat(what, ": ", kMaxSkippedInARow, " steps in a row without a finite loss", advice));
  }
  std::cerr << "warning: " << what << ": update skipped\n";
}

// Keeps the last good checkpoints while updates are being skipped or the loss is exploding.
void TextToImageRun::save() {
  if (saved_step_ == step_ || skipped_in_a_row_ > 0 || !guard_.is_sound()) return;
  save_text_to_image_checkpoint(directory_.checkpoint_path(step_), trainer_, options_.config,
                                inputs_, step_);
  saved_step_ = step_;
  note_progress(step_, saved_step_);
  directory_.remove_old_checkpoints(options_.keep_last, is_checkpoint);
}

void TextToImageRun::stop_if_asked() {
  if (!stop_requested()) return;
  if (step_ > 0) save();
  shown_.pause();
  const std::string where = cat("stopped after step ", step_, " of ", last_step_);
  const std::string with = cat("with: ", resume_command(options_));
  if (saved_step_ == step_) {
    throw Error(cat(where, ", which is saved. Continue ", with), stop_exit_code());
  }
  throw Error(where + (saved_step_ < 0 ? std::string(". Nothing was saved")
                                       : cat(". The last checkpoint is of step ", saved_step_,
                                             ". Continue from it ", with)),
              stop_exit_code());
}

void TextToImageRun::measure() {
  std::error_code ignored;
  if (std::filesystem::exists(samples_file(), ignored)) return;
  const std::vector<std::string> texts = measured_texts(data_);
  const auto losses = level_losses(context_, unet_, weights(), text_->embeddings(texts, weights()),
                                   batches_.examples(), static_cast<int64_t>(texts.size()),
                                   [&] { return go_on("measuring the noise levels"); });
  if (!losses) return;
  append_levels(*losses);
  const Model model = text_to_image_model(unet_, options_.config.stage, weights());
  try {
    const bool is_written = write_text_samples(
        context_, model, text_->embeddings(texts_of(prompts_), weights()), prompts_, samples_file(),
        cat("Samples after step ", step_), [&] { return go_on("drawing samples"); });
    if (!is_written || !talks()) return;
    shown_.pause();
    std::cerr << "samples of step " << step_ << ": " << path_label(samples_file()) << std::endl;
  } catch (const DivergedError& error) {
    std::cerr << "warning: no samples of step " << step_ << ": " << error.what() << '\n';
  }
}

// One object a line; a step that is measured again replaces what a stopped run left behind it.
void TextToImageRun::append_levels(const std::vector<LevelLoss>& losses) const {
  const std::string path = directory_.file(kLevelsName);
  std::string text;
  std::ifstream before(path);
  for (std::string line; std::getline(before, line);) {
    const Json json = Json::parse(line, nullptr, /*allow_exceptions=*/false);
    const bool stays = json.is_object() && json.contains("step") &&
                       json["step"].is_number_integer() && json["step"].get<int64_t>() < step_;
    if (stays) text += line + "\n";
  }
  Json timesteps = Json::array(), values = Json::array();
  for (const LevelLoss& loss : losses) {
    timesteps.push_back(loss.timestep);
    values.push_back(static_cast<float>(loss.squared_error));
  }
  text += Json{{"step", step_}, {"timesteps", timesteps}, {"loss", values}}.dump() + "\n";
  write_file(path, text);
}

void TextToImageRun::write_model() {
  const LossPlot plot{.title = cat("train_text_to_image --stage ", options_.config.stage),
                      .series = loss_series(read_train_log(directory_.file(kTrainLogName)), "")};
  write_png(directory_.file("loss.png"), draw_loss_plot(plot), {}, Overwrite::kReplace);
  write_diffusers_model(directory_.file(kModelName),
                        text_to_image_model(unet_, options_.config.stage, weights()), unet_config_,
                        options_.weights == "f16" ? DType::kF16 : DType::kF32);
  results_.text() << path_label(directory_.file(kModelName)) << std::endl;
}

void TextToImageRun::print_results() {
  if (!options_.json) return;
  const std::vector<LogEntry> log = read_train_log(directory_.file(kTrainLogName));
  results_.set("steps", step_);
  results_.set("first_step", first_step_);
  results_.set("loss", log.empty() ? Json() : Json(log.back().loss));
  results_.set("config", Json::parse(to_json(options_.config)));
  results_.add_file(directory_.file(kModelName), "model");
  results_.add_file(directory_.file(kTrainLogName), "log");
  results_.add_file(directory_.file("loss.png"), "plot");
  results_.print();
}

bool TextToImageRun::talks() const {
  return options_.progress != ProgressMode::kNone && options_.progress != ProgressMode::kJson;
}

bool TextToImageRun::go_on(const std::string& doing) {
  shown_.update(step_, [&] { return std::vector<ProgressFact>{{"doing", doing, doing}}; });
  return !stop_requested();
}

std::string TextToImageRun::samples_file() const {
  std::ostringstream name;
  name << "samples-step-" << std::setw(8) << std::setfill('0') << step_ << ".png";
  return directory_.file(name.str());
}

}  // namespace ebb
