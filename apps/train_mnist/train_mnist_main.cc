#include <iostream>
#include <string>
#include <vector>

#include "apps/cli/cli.h"
#include "apps/cli/manual.h"
#include "apps/train_mnist/signals.h"
#include "apps/train_mnist/train_run.h"

int main(int argc, char** argv) {
  ebb::Program program(
      "Trains the UNets of the diffusion assignment, and a digit classifier, on MNIST.",
      "train_mnist");
  ebb::add_version_flag(program);
  ebb::add_document_flags(program);
  program.example("train_mnist --model class -o runs/class",
                  "the network of the assignment, on data/mnist");
  program.example("train_mnist --model class -o runs/class --resume auto", "goes on after Ctrl-C");
  ebb::TrainFlags flags(program);
  program.callback([&] {
    const ebb::TrainOptions options = flags.finish();
    const auto context = ebb::make_context(options.device);
    if (options.profile) context->enable_profiler();
    ebb::install_signal_handlers();
    ebb::TrainRun(*context, options).run();
    if (options.profile) std::cerr << context->profiler()->table();
  });
  return ebb::run_program(program, std::vector<std::string>(argv, argv + argc));
}
