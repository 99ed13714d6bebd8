#include <iostream>
#include <string>
#include <vector>

#include "apps/cli/cli.h"
#include "apps/cli/manual.h"
#include "apps/train_text_to_image/text_to_image_run.h"
#include "apps/training/one_process.h"
#include "apps/training/signals.h"

int main(int argc, char** argv) {
  ebb::Program program(
      "Trains the UNets of a text-to-image cascade in the architecture of DeepFloyd IF on images "
      "with captions.",
      "train_text_to_image");
  ebb::add_version_flag(program);
  ebb::add_document_flags(program);
  program.example("train_text_to_image --data pets --embeddings pets.safetensors -o runs/pets",
                  "a first stage of 32 x 32 pixels");
  program.example(
      "train_text_to_image --data pets --embeddings pets.safetensors --stage 2 -o runs/pets-2",
      "a second stage that enlarges to 64 x 64");
  ebb::TextToImageFlags flags(program);
  program.callback([&] {
    ebb::require_one_process(ebb::read_launch(ebb::process_environment()));
    ebb::TextToImageOptions options = flags.finish();
    options.program = argv[0];
    const auto context = ebb::make_context(options.device);
    if (options.profile) context->enable_profiler();
    ebb::install_signal_handlers();
    ebb::TextToImageRun(*context, options).run();
    if (options.profile) std::cerr << context->profiler()->table();
  });
  return ebb::run_program(program, std::vector<std::string>(argv, argv + argc));
}
