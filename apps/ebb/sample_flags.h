#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "apps/cli/cli.h"
#include "apps/cli/progress.h"

namespace ebb {

// The flags of every sampling command, as given on the command line.
struct SampleFlags {
  std::string model = "mnist-class";
  std::string variant;  // of its files; empty: not given
  std::string label;    // --class; empty: not given
  std::string prompt;   // -p; empty: not given, or with prompt_given no prompt: no condition
  bool prompt_given = false;
  std::string negative_prompt, embeddings;  // empty: not given
  int64_t count = 0;                        // 0: the command's own
  int64_t steps = 0;                        // 0: by command, sampler and model
  std::string sampler, variance, preset, timestep_list;
  double eta = 0;
  bool eta_given = false;
  double cfg_scale = 0;  // unless given: the model's, see SampleJob::cfg_scale()
  bool cfg_given = false;
  int64_t seed = 42;
  int64_t best = 0;  // --best; 0: keep all
  std::string output;
  bool grid = false;
  int64_t columns = 0;  // 0: the command's own
  int64_t scale = 0;    // 0: by the size of the model's images
  bool gif = false;
  std::string gif_file;
  std::string motion_file;  // --turn, --step-back; empty: none
  DeviceFlags device;
  int64_t batch_size = 64;
  bool profile = false;
  bool force = false;
  bool no_metadata = false;
  bool json = false;
  ProgressFlag progress;
};

// Help texts that differ between commands.
struct SampleTexts {
  bool takes_prompt = true;  // --class and --prompt; false: the command has prompts of its own
  bool takes_steps = true;   // false: the flags of steps are hidden, and refused by the command
  std::string count = "Images to generate (1)";
  std::string steps = "";  // empty: each sampler's own number by default
  std::string output = "PNG file, with %03d for the image number (out_%03d.png)";
  std::string best = "";         // of --best; empty: the command has none
  std::string motion_flag = "";  // of an animation of the finished images; empty: there is none
  std::string motion = "";
};

// Adds them to `command`, whose callback becomes `run`, called when the flags are complete.
void add_sample_flags(Command command, SampleFlags& flags, const SampleTexts& texts,
                      const std::function<void()>& run);

// For every command that loads a model.
void add_variant_flag(Command command, std::string& variant);

// For every command that draws.
void add_no_metadata_flag(Command command, bool& no_metadata);
void add_json_flag(Command command, bool& as_json);

// UsageError when a flag of the sampler was given to a command that takes no steps: --steps,
// --sampler, --variance, --eta. `why` goes on after "has no meaning".
void refuse_step_flags(const SampleFlags& flags, const std::string& why);
// The same for any flag.
void refuse_flag(const std::string& flag, bool given, const std::string& why);

// The words between commas, blanks or both; an empty one where a comma has nothing before or behind
// it.
std::vector<std::string> split_list(const std::string& text);
// The same for words that came as one although several are wanted: "--prompts 6,9".
void split_lone_list(std::vector<std::string>& words, size_t wanted);

// "100,500" or "100 500" -> numbers in low..high; UsageError names `flag`.
std::vector<int64_t> parse_integers(const std::string& text, const std::string& flag, int64_t low,
                                    int64_t high);
std::vector<double> parse_numbers(const std::string& text, const std::string& flag, double low,
                                  double high);

}  // namespace ebb
