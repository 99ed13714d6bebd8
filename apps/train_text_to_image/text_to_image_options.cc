#include "apps/train_text_to_image/text_to_image_options.h"

#include <limits>

#include "apps/cli/provenance.h"
#include "apps/train_text_to_image/text_to_image_checkpoint.h"
#include "apps/train_text_to_image/text_to_image_network.h"
#include "base/error.h"

namespace ebb {
namespace {

constexpr int64_t kManySteps = int64_t{1} << 40;

template <typename T>
void set(T& field, const std::optional<T>& flag) {
  if (flag) field = *flag;
}

std::vector<std::string> size_names() {
  std::vector<std::string> names;
  for (const UnetSize& size : unet_sizes()) names.emplace_back(size.name);
  return names;
}

}  // namespace

std::string resume_command(const TextToImageOptions& options) {
  return shell_command({options.program, "--data", options.data, "--embeddings", options.embeddings,
                        "--resume", "auto", "-o", options.output});
}

TextToImageFlags::TextToImageFlags(Command command) : command_(command) {
  add_run_flags();
  add_training_flags();
  add_output_flags();
}

void TextToImageFlags::add_run_flags() {
  command_
      .add_option("--data", options_.data,
                  "Directory of the images, with captions.jsonl: a line {\"file\": \"a.png\", "
                  "\"captions\": [\"a cat\"]} for each")
      .required()
      .takes(FlagValue::kDirectory);
  command_
      .add_option("--embeddings", options_.embeddings,
                  "States of every caption and of the empty one, as a text encoder left them: "
                  "tensors [tokens, width] by caption, as safetensors or torch.save()")
      .required()
      .takes(FlagValue::kWeights);
  command_.add_option("-o,--output", options_.output, "Run directory")
      .required()
      .takes(FlagValue::kDirectory);
  command_
      .add_option("--resume", options_.resume,
                  "auto: continue from the newest valid checkpoint in --output, if any; or a "
                  "checkpoint file. Settings are the run's")
      .takes(FlagValue::kWeights);
  add_choice(command_, "--stage", stage_, {"1", "2"},
             "1: a network that draws; 2: one that enlarges what the first drew to twice the side");
  add_choice(command_, "--size", size_, size_names(),
             "Size of the UNet: small and base draw 32 x 32 pixels, toy 8 x 8 (small)");
}

void TextToImageFlags::add_training_flags() {
  command_.start_group("Training");
  add_integer(command_, "--batch-size", batch_size_, 1, 65536, "Images per step (32)");
  add_integer(command_, "--steps", steps_, 1, kManySteps,
              "Steps of the run; the learning rate ends with them (20000)");
  add_integer(command_, "--max-steps", options_.max_steps, 0, kManySteps,
              "Stop after this many steps in total (0: no limit)");
  add_number(command_, "--lr", lr_, 0, 10, "AdamW's learning rate (3e-4)");
  add_integer(command_, "--lr-warmup-steps", warmup_, 0, 1000000,
              "Steps of linear warm-up of the learning rate (500)");
  add_number(command_, "--lr-final", lr_final_, 0, 1,
             "Share of the learning rate that is left at the end of a cosine decay (0.05)");
  add_number(command_, "--weight-decay", weight_decay_, 0, 10, "AdamW's weight decay (0.01)");
  add_number(command_, "--ema-decay", ema_decay_, 0, 0.999999,
             "Decay of the moving average of the weights, which the model uses (0.999; 0: none)");
  add_number(command_, "--clip-norm", clip_norm_, 0, 1e30,
             "Largest gradient norm (1; 0: no clipping)")
      .type_name("NUMBER");
  add_number(command_, "--caption-dropout", caption_dropout_, 0, 1,
             "Probability of training an example without its caption (0.1)");
  add_number(command_, "--vlb-weight", vlb_weight_, 0, 1000,
             "Weight of the variational bound, which trains the variance (1)");
  add_number(command_, "--max-shift", max_shift_, 0, 0.5,
             "Augmentation: largest shift, of the side (0.06)");
  add_number(command_, "--max-scale", max_scale_, 0, 1,
             "Augmentation: largest growth, 0.1 for sizes from 1 / 1.1 to 1.1 (0.1)");
  add_number(command_, "--max-rotation", max_rotation_, 0, 180,
             "Augmentation: largest rotation in degrees (8)");
  command_.add_flag("--no-backgrounds", no_backgrounds_,
                    "Put images with transparency on white, not on random light colors");
  add_integer(command_, "-s,--seed", seed_, 0, std::numeric_limits<int64_t>::max(),
              "Seed of initial weights, data order, augmentation, and noise (0)")
      .type_name("INT");
}

void TextToImageFlags::add_output_flags() {
  command_.start_group(kOutputGroup);
  add_integer(command_, "--save-every", options_.save_every, 1, 1000000000,
              "Steps between checkpoints (500)");
  add_integer(command_, "--keep-last", options_.keep_last, 1, 1000, "Checkpoints to keep (2)");
  add_integer(command_, "--sample-every", options_.sample_every, 0, 1000000000,
              "Steps between sample grids and losses by noise level (2000; 0: none)");
  command_
      .add_option("--prompts", options_.prompts,
                  "Text file with a prompt of the sample grids on each line (captions of the data)")
      .takes(FlagValue::kFile);
  add_choice(command_, "--weights", options_.weights, {"f32", "f16"},
             "Type of the weights in the model's files (f32)");
  add_device_flags(command_, options_.device);
  command_.add_flag("--profile", options_.profile, "Print time by kernel and by layer at the end");
  command_.add_flag("-q,--quiet", quiet_, "Show no progress, as --progress none");
  add_progress_flag(command_, progress_);
  command_.add_flag("--json", options_.json,
                    "Print one JSON object at the end instead of the model's name");
}

TextToImageConfig TextToImageFlags::config_of(const TextToImageConfig& start) const {
  TextToImageConfig config = start;
  if (command_.option("--stage").given()) config.stage = stage_ == "2" ? 2 : 1;
  if (!size_.empty()) config.size = size_;
  set(config.batch_size, batch_size_);
  set(config.steps, steps_);
  set(config.lr, lr_);
  set(config.lr_warmup_steps, warmup_);
  set(config.lr_final, lr_final_);
  set(config.weight_decay, weight_decay_);
  set(config.ema_decay, ema_decay_);
  set(config.clip_norm, clip_norm_);
  set(config.caption_dropout, caption_dropout_);
  set(config.vlb_weight, vlb_weight_);
  set(config.augmentation.max_shift, max_shift_);
  set(config.augmentation.max_scale, max_scale_);
  set(config.augmentation.max_rotation, max_rotation_);
  if (no_backgrounds_) config.augmentation.backgrounds = false;
  if (seed_) config.seed = static_cast<uint64_t>(*seed_);
  return config;
}

TextToImageOptions TextToImageFlags::finish() const {
  TextToImageOptions options = options_;
  options.progress = quiet_ ? ProgressMode::kNone : progress_.mode();
  const std::optional<TextToImageConfig> stored =
      find_text_to_image_run(options.resume, options.output);
  options.config = config_of(stored.value_or(TextToImageConfig()));
  if (!stored || command_.option("--precision").given()) {
    options.config.precision = options.device.precision();
  }
  options.device.precision_name = to_string(options.config.precision);
  return options;
}

}  // namespace ebb
