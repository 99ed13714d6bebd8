#include <iostream>
#include <string>
#include <vector>

#include "diffusion/cli.h"
#include "diffusion/train/signals.h"
#include "diffusion/train/train_run.h"
#include "engine/backend.h"

int main(int argc, char** argv) {
  CLI::App app{"Trains the UNets of the diffusion assignment on MNIST.", "train_mnist"};
  ebb::add_version_flag(app);
  ebb::TrainFlags flags(app);
  app.callback([&] {
    const ebb::TrainOptions options = flags.finish();
    const auto context = ebb::make_context(options.device, options.threads);
    if (options.profile) context->enable_profiler();
    ebb::install_signal_handlers();
    ebb::TrainRun(*context, options).run();
    if (options.profile) std::cerr << context->profiler()->table();
  });
  return ebb::run_program(app, std::vector<std::string>(argv, argv + argc));
}
