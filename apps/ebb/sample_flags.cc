#include "apps/ebb/sample_flags.h"

#include <algorithm>
#include <charconv>

#include "base/text.h"
#include "diffusion/presets.h"
#include "diffusion/sampler.h"

namespace ebb {
namespace {

constexpr int64_t kMaxSeed = ImageNoise::kMaxSeed;

// The numbers between commas, blanks or both.
template <typename T>
std::vector<T> parse_list(const std::string& text, const std::string& flag, T low, T high) {
  std::vector<T> values;
  for (const std::string& word : split_list(text)) {
    T value{};
    const char* end = word.data() + word.size();
    const auto [rest, error] = std::from_chars(word.data(), end, value);
    // NaN fails the comparisons.
    const bool valid = error == std::errc() && rest == end && value >= low && value <= high;
    EBB_CHECK(valid, UsageError, flag, " ", terminal_safe(text), ": ", quoted(terminal_safe(word)),
              " must be a number from ", low, " to ", high, ". Separate numbers with commas.");
    values.push_back(value);
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

void add_prompt_flags(Command command, SampleFlags& flags) {
  Flag label = command
                   .add_option("--class", flags.label,
                               "Class 0..9 or its name, a list such as 3,8, all (one image after "
                               "the other), or none (the model chooses)")
                   .type_name("CLASS")
                   .list();
  command
      .add_option(
          "-p,--prompt", flags.prompt,
          "Prompt. Of digits: 7, seven, 'a photo of a seven'; of models that read text: one "
          "of --embeddings; '': no prompt, the model chooses")
      .excludes(label);
}

// Flags of models that read text, for all commands.
void add_text_flags(Command command, SampleFlags& flags) {
  command
      .add_option("--negative-prompt", flags.negative_prompt,
                  "Prompt to guide away from, for models that read text ('')")
      .type_name("PROMPT");
  command
      .add_option("--embeddings", flags.embeddings,
                  "Prompts as the model's text encoder left them: safetensors, or a dict saved by "
                  "torch.save(), [77, 4096] by prompt")
      .takes(FlagValue::kWeights);
}

// Flags whose presence counts.
struct GivenFlags {
  Flag eta, cfg, gif;
};

GivenFlags add_step_flags(Command command, SampleFlags& flags, const SampleTexts& texts) {
  add_integer(command, "--steps,--num-inference-steps", flags.steps, 1, 100'000,
              texts.steps.empty() ? steps_help() : texts.steps);
  add_choice(command, "--sampler", flags.sampler, sampler_names(),
             "Sampler (ddpm or euler, by model)");
  add_choice(
      command, "--variance", flags.variance, {"fixed_large", "fixed_small", "learned_range"},
      "Variance of ddpm steps (the model's if it predicts one, else fixed_large, or fixed_small "
      "on the strided list of timesteps)");
  add_choice(command, "--preset", flags.preset, preset_names(),
             "Timesteps of ddpm: the assignment's strided list without thresholding (course), as "
             "the model's own pipeline does it (pipeline, or a list of it); by default course for "
             "models that predict a variance, unless --steps is given");
  command
      .add_option("--timestep-list", flags.timestep_list,
                  "Instead of --steps: the timesteps to run, descending, such as 999,500,100,0; of "
                  "consistency models numbers on their ramp, such as 22,0")
      .type_name("LIST")
      .list();
  Flag eta = add_number(command, "--eta", flags.eta, 0, 1, "Noise of ddim steps, 0 to 1 (0)");
  Flag cfg =
      add_number(command, "--cfg-scale,--guidance-scale", flags.cfg_scale, 0, 100,
                 "Classifier-free guidance scale; 1: no guidance (5; models that read text: 7)");
  Flag gif =
      command
          .add_option("--gif", flags.gif_file,
                      "Also write an animation of the sampling, GIF or lossless WebP by its ending "
                      "(the image's name with .gif)")
          .value_optional()
          .takes(FlagValue::kFile);
  return {eta, cfg, gif};
}

}  // namespace

void add_sample_flags(Command command, SampleFlags& flags, const SampleTexts& texts,
                      const std::function<void()>& run) {
  command.start_group("Model");
  command
      .add_option("--model", flags.model,
                  "Model file or directory, or the name of a pretrained model")
      .show_default()
      .takes(FlagValue::kModel);
  add_variant_flag(command, flags.variant);
  if (texts.takes_prompt) add_prompt_flags(command, flags);
  if (texts.takes_steps) add_text_flags(command, flags);
  command.start_group(texts.takes_steps ? "Sampling" : "");  // "": hidden, and refused
  const GivenFlags given = add_step_flags(command, flags, texts);
  command.start_group(kOutputGroup);
  add_integer(command, "-b,--batch-count", flags.count, 1, 100'000, texts.count);
  if (!texts.best.empty()) add_integer(command, "--best", flags.best, 1, 10'000, texts.best);
  add_integer(command, "-s,--seed", flags.seed, -kMaxSeed, kMaxSeed,
              "Seed of the first image; the next image uses seed + 1; negative: random (42)")
      .last_counts();
  command.add_option("-o,--output", flags.output, texts.output).takes(FlagValue::kFile);
  Flag grid =
      command.add_flag("--grid", flags.grid, "Write all images to one labeled file (out.png)");
  add_integer(command, "--grid-cols", flags.columns, 1, 1000,
              "Columns of the grid (default depends on the command, or square)")
      .needs(grid);
  add_integer(command, "--scale", flags.scale, 1, 64,
              "Pixels a side for each pixel of the model (8 at 28 x 28, in grids 4); 1: the "
              "images as the model makes them");
  if (!texts.motion_flag.empty()) {
    command.add_option(texts.motion_flag, flags.motion_file, texts.motion).takes(FlagValue::kFile);
  }
  add_device_flags(command, flags.device);
  add_integer(command, "--batch-size", flags.batch_size, 1, 4096, "Images computed at once (64)")
      .group(kMachineGroup);
  command.add_flag("--profile", flags.profile, "Print time by kernel and by layer")
      .group(kMachineGroup);
  command.add_flag("--force", flags.force, "Overwrite existing files").group(kOutputGroup);
  add_no_metadata_flag(command, flags.no_metadata);
  add_json_flag(command, flags.json);
  add_progress_flag(command, flags.progress);
  command.start_group(kOptionGroup);
  const bool takes_prompt = texts.takes_prompt;
  command.callback([&flags, run, given, command, takes_prompt] {
    flags.cfg_given = given.cfg.given();
    flags.eta_given = given.eta.given();
    flags.gif = given.gif.given();
    flags.prompt_given = takes_prompt && command.option("--prompt").given();
    run();
  });
}

void add_variant_flag(Command command, std::string& variant) {
  command
      .add_option("--variant", variant,
                  "Variant of the weights in a directory of diffusers, e.g. fp16 (the plain files, "
                  "else the only variant)")
      .type_name("NAME");
}

void add_no_metadata_flag(Command command, bool& no_metadata) {
  command
      .add_flag("--no-metadata", no_metadata,
                "Write images without the command and settings that made them")
      .group(kOutputGroup);
}

void add_json_flag(Command command, bool& as_json) {
  command
      .add_flag("--json", as_json,
                "Print one JSON object instead of text: what was written, and how")
      .group(kOutputGroup);
}

void refuse_flag(const std::string& flag, bool given, const std::string& why) {
  EBB_CHECK(!given, UsageError, flag, ": has no meaning ", why, ". Leave it out.");
}

void refuse_step_flags(const SampleFlags& flags, const std::string& why) {
  refuse_flag("--steps", flags.steps > 0, why);
  refuse_flag("--sampler", !flags.sampler.empty(), why);
  refuse_flag("--variance", !flags.variance.empty(), why);
  refuse_flag("--preset", !flags.preset.empty(), why);
  refuse_flag("--timestep-list", !flags.timestep_list.empty(), why);
  refuse_flag("--eta", flags.eta_given, why);
}

std::vector<std::string> split_list(const std::string& text) {
  constexpr const char* kBlanks = " \t";
  std::vector<std::string> words;
  bool expects_word = true;  // at the start and behind a comma
  for (size_t at = 0;;) {
    at = std::min(text.find_first_not_of(kBlanks, at), text.size());
    if (at == text.size()) break;
    if (text[at] == ',') {
      if (expects_word) words.emplace_back();
      expects_word = true;
      ++at;
      continue;
    }
    const size_t end = std::min(text.find_first_of(" \t,", at), text.size());
    words.push_back(text.substr(at, end - at));
    expects_word = false;
    at = end;
  }
  if (expects_word) words.emplace_back();
  return words;
}

void split_lone_list(std::vector<std::string>& words, size_t wanted) {
  if (words.size() == 1 && wanted > 1) words = split_list(words.front());
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
