#include <iostream>
#include <string>
#include <vector>

#include "apps/cli/cli.h"
#include "apps/cli/manual.h"
#include "apps/train_mnist/train_run.h"
#include "apps/training/one_process.h"
#include "apps/training/signals.h"

int main(int argc, char** argv) {
  ebb::Program program(
      "Trains the UNets of the diffusion assignment, and a digit classifier, on MNIST.",
      "train_mnist");
  ebb::add_version_flag(program);
  ebb::add_document_flags(program);
  program.example("train_mnist --model class -o runs/class",
                  "the network of the assignment, on data/mnist");
  program.example("train_mnist --model class --preset quick -o runs/quick",
                  "a small one whose samples are digits within a minute");
  program.example("train_mnist --resume auto -o runs/class", "goes on after Ctrl-C");
  ebb::TrainFlags flags(program);
  program.callback([&] {
    ebb::require_one_process(ebb::read_launch(ebb::process_environment()));
    ebb::TrainOptions options = flags.finish();
    options.program = argv[0];
    const auto context = ebb::make_context(options.device);
    if (options.profile) context->enable_profiler();
    ebb::install_signal_handlers();
    ebb::TrainRun(*context, options).run();
    if (options.profile) std::cerr << context->profiler()->table();
  });
  return ebb::run_program(program, std::vector<std::string>(argv, argv + argc));
}
