#pragma once

#include <array>
#include <string>

#include "apps/cli/command.h"
#include "apps/ebb/invocation.h"

namespace ebb {

// Each adds the flags of a subcommand to `command`, and a callback that runs it. The comment above
// each definition says what the command does.
void add_anagram(Command command, const Invocation& invocation);
void add_blur(Command command, const Invocation& invocation);
void add_compare(Command command, const Invocation& invocation);
void add_completion(Command command, const Invocation& invocation);
void add_convert(Command command, const Invocation& invocation);
void add_denoise(Command command, const Invocation& invocation);
void add_devices(Command command, const Invocation& invocation);
void add_edit(Command command, const Invocation& invocation);
void add_eval(Command command, const Invocation& invocation);
void add_forward(Command command, const Invocation& invocation);
void add_help(Command command, const Invocation& invocation);
void add_hybrid(Command command, const Invocation& invocation);
void add_info(Command command, const Invocation& invocation);
void add_inpaint(Command command, const Invocation& invocation);
void add_inspect(Command command, const Invocation& invocation);
void add_man(Command command, const Invocation& invocation);
void add_models(Command command, const Invocation& invocation);
void add_plot(Command command, const Invocation& invocation);
void add_report(Command command, const Invocation& invocation);
void add_rerun(Command command, const Invocation& invocation);
void add_sample(Command command, const Invocation& invocation);
void add_test_image(Command command, const Invocation& invocation);
void add_tokenize(Command command, const Invocation& invocation);
void add_upscale(Command command, const Invocation& invocation);

struct CommandInfo {
  const char* name;
  const char* description;
  void (*add)(Command command, const Invocation& invocation);
  bool replayable;              // writes only images that store the command line
  const char* family;           // heading in --help
  const char* alias = nullptr;  // an older name
};

// Headings in --help, in the order of the commands below.
inline constexpr const char* kGenerate = "Generate";
inline constexpr const char* kLook = "Inspect";
inline constexpr const char* kEvaluate = "Evaluate and convert (train_mnist trains)";
inline constexpr const char* kMore = "More";

// Every subcommand of `ebb`, in the order of --help: those of a family together, most used first.
inline constexpr std::array kCommands = {
    CommandInfo{"sample", "Generate images with a trained model", add_sample, true, kGenerate},
    CommandInfo{"edit", "Add noise to an image at several levels and denoise it again (SDEdit)",
                add_edit, true, kGenerate},
    CommandInfo{"anagram",
                "Generate images that change meaning when rotated, flipped, or rearranged",
                add_anagram, true, kGenerate},
    CommandInfo{"hybrid",
                "Generate images whose frequency bands or colors come from different prompts",
                add_hybrid, true, kGenerate},
    CommandInfo{"inpaint", "Regenerate part of an image", add_inpaint, true, kGenerate},
    CommandInfo{"upscale", "Enlarge an image with a model of a second stage", add_upscale, true,
                kGenerate},
    CommandInfo{"denoise", "Add noise to an image and denoise it, in one step or many", add_denoise,
                true, kGenerate},
    CommandInfo{"forward", "Add the noise of chosen timesteps to an image", add_forward, true,
                kGenerate},
    CommandInfo{"blur", "Add noise to an image and remove it with a Gaussian blur", add_blur, true,
                kGenerate},
    CommandInfo{"test-image", "Write a synthetic image to try the other commands on",
                add_test_image, true, kGenerate, "draw"},
    CommandInfo{"report", "Generate an HTML report: all figures, with the commands that made them",
                add_report, false, kGenerate},
    CommandInfo{"info", "Show how an image was made", add_info, false, kLook},
    CommandInfo{"rerun", "Regenerate an image from its own metadata", add_rerun, false, kLook},
    CommandInfo{"models", "List the models that --model finds by name", add_models, false, kLook},
    CommandInfo{"inspect", "Validate files and list their contents: tensors, metadata, digests",
                add_inspect, false, kLook},
    CommandInfo{"tokenize", "Print the ids that a model's tokenizer makes of texts", add_tokenize,
                false, kLook},
    CommandInfo{"devices", "List the devices that --device accepts on this machine", add_devices,
                false, kLook},
    CommandInfo{"eval",
                "Evaluate a model: denoising error, quality of samples, or classifier accuracy",
                add_eval, false, kEvaluate},
    CommandInfo{"plot", "Plot the loss curves of training runs and model files", add_plot, true,
                kEvaluate},
    CommandInfo{"compare",
                "Compare a model layer by layer with the outputs of another implementation",
                add_compare, false, kEvaluate},
    CommandInfo{"convert", "Convert a model file to another storage type", add_convert, false,
                kEvaluate},
    CommandInfo{"help", "Show the help of a command", add_help, false, kMore},
    CommandInfo{"completion", "Print a script that completes commands in a shell", add_completion,
                false, kMore},
    CommandInfo{"man", "Write manuals for man(1)", add_man, false, kMore},
};

// The command of this name or alias; nullptr when there is none.
const CommandInfo* find_command(const std::string& name);

// Runs the command line `invocation.arguments` as a function: errors are thrown, a bad command line
// as UsageError.
void run_command(const Invocation& invocation);

// The whole program: main() of `ebb`. Errors go to stderr; returns the exit code.
int run_ebb(const std::vector<std::string>& arguments);

}  // namespace ebb
