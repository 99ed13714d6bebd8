#include "apps/ebb/sample_flags.h"

#include <charconv>

#include "base/text.h"
#include "diffusion/sampler.h"

namespace ebb {
namespace {

constexpr int64_t kMaxSeed = ImageNoise::kMaxSeed;

template <typename T>
std::vector<T> parse_list(const std::string& text, const std::string& flag, T low, T high) {
  std::vector<T> values;
  for (size_t begin = 0; begin <= text.size();) {
    const size_t comma = std::min(text.find(',', begin), text.size());
    T value{};
    const char* end = text.data() + comma;
    const auto [rest, error] = std::from_chars(text.data() + begin, end, value);
    // NaN fails the comparisons.
    const bool valid = error == std::errc() && rest == end && value >= low && value <= high;
    EBB_CHECK(valid, UsageError, flag, " ", terminal_safe(text), ": ",
              quoted(terminal_safe(text.substr(begin, comma - begin))), " must be a number from ",
              low, " to ", high, ". Separate numbers with commas.");
    values.push_back(value);
    begin = comma + 1;
  }
  return values;
}

// "Sampling steps (ddpm: all timesteps; ddim: 50; ...)"
std::string steps_help() {
  std::string text = "Sampling steps (";
  for (const SamplerInfo& info : samplers()) {
    text += cat(&info == samplers().data() ? "" : "; ", info.name, ": ");
    text += info.steps == 0 ? "all timesteps" : std::to_string(info.steps);
    if (info.class_steps != info.steps) text += cat(", with classes ", info.class_steps);
  }
  return text + ")";
}

}  // namespace

void add_sample_flags(Command command, SampleFlags& flags, const SampleTexts& texts,
                      const std::function<void()>& run) {
  command.add_option("--model", flags.model, "Model file, or the name of a pretrained model")
      .show_default();
  if (texts.takes_prompt) {
    Flag label =
        command.add_option("--class", flags.label, "Class 0..9, or all: one image after the other")
            .type_name("CLASS");
    command
        .add_option("-p,--prompt", flags.prompt,
                    "Prompt that names a digit: 7, seven, 'a photo of a seven'")
        .excludes(label);
  }
  add_integer(command, "-b,--batch-count", flags.count, 1, 100'000, texts.count);
  add_integer(command, "--steps,--num-inference-steps", flags.steps, 1, 100'000,
              texts.steps.empty() ? steps_help() : texts.steps);
  add_choice(command, "--sampler", flags.sampler, sampler_names(),
             "Sampler (ddpm or euler, by model)");
  add_choice(
      command, "--variance", flags.variance, {"fixed_large", "fixed_small", "learned_range"},
      "Variance of ddpm steps (the model's if it predicts one, else fixed_large, or fixed_small "
      "on the strided list of timesteps)");
  Flag eta = add_number(command, "--eta", flags.eta, 0, 1, "Noise of ddim steps, 0 to 1 (0)");
  Flag cfg = add_number(command, "--cfg-scale,--guidance-scale", flags.cfg_scale, 0, 100,
                        "Classifier-free guidance scale; 1: no guidance (5)");
  add_integer(command, "-s,--seed", flags.seed, -kMaxSeed, kMaxSeed,
              "Seed of the first image; the next image uses seed + 1; negative: random (42)")
      .last_counts();
  command.add_option("-o,--output", flags.output, texts.output);
  Flag grid = command.add_flag("--grid", flags.grid, "Write all images to one file (out.png)");
  add_integer(command, "--grid-cols", flags.columns, 1, 1000,
              "Columns of the grid (default depends on the command, or square)")
      .needs(grid);
  Flag gif =
      command
          .add_option("--gif", flags.gif_file,
                      "Also write an animation of the sampling, GIF or lossless WebP by its ending "
                      "(the image's name with .gif)")
          .value_optional();
  add_device_flags(command, flags.device);
  add_integer(command, "--batch-size", flags.batch_size, 1, 4096, "Images computed at once (64)");
  command.add_flag("--profile", flags.profile, "Print time by kernel and by layer");
  command.add_flag("--force", flags.force, "Overwrite existing files");
  add_no_metadata_flag(command, flags.no_metadata);
  add_json_flag(command, flags.json);
  add_progress_flag(command, flags.progress);
  command.callback([&flags, run, cfg, gif, eta] {
    flags.cfg_given = cfg.given();
    flags.eta_given = eta.given();
    flags.gif = gif.given();
    run();
  });
}

void add_no_metadata_flag(Command command, bool& no_metadata) {
  command.add_flag("--no-metadata", no_metadata,
                   "Write images without the command and settings that made them");
}

void add_json_flag(Command command, bool& as_json) {
  command.add_flag("--json", as_json,
                   "Print one JSON object instead of text: what was written, and how");
}

void refuse_flag(const std::string& flag, bool given, const std::string& why) {
  EBB_CHECK(!given, UsageError, flag, ": has no meaning ", why, ". Leave it out.");
}

void refuse_step_flags(const SampleFlags& flags, const std::string& why) {
  refuse_flag("--steps", flags.steps > 0, why);
  refuse_flag("--sampler", !flags.sampler.empty(), why);
  refuse_flag("--variance", !flags.variance.empty(), why);
  refuse_flag("--eta", flags.eta_given, why);
}

std::vector<int64_t> parse_integers(const std::string& text, const std::string& flag, int64_t low,
                                    int64_t high) {
  return parse_list(text, flag, low, high);
}

std::vector<double> parse_numbers(const std::string& text, const std::string& flag, double low,
                                  double high) {
  return parse_list(text, flag, low, high);
}

}  // namespace ebb
