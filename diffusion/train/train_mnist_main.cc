#include <iostream>
#include <string>
#include <vector>

#include "diffusion/program/cli.h"
#include "diffusion/train/signals.h"
#include "diffusion/train/train_run.h"
#include "engine/backend.h"

int main(int argc, char** argv) {
  ebb::Program program("Trains the UNets of the diffusion assignment on MNIST.", "train_mnist");
  ebb::add_version_flag(program);
  ebb::TrainFlags flags(program);
  program.callback([&] {
    const ebb::TrainOptions options = flags.finish();
    const auto context = ebb::make_context(options.device.device, options.device.threads);
    const bool is_cpu = context->device().type == ebb::DeviceType::kCpu;
    EBB_CHECK(!is_cpu || options.config.precision == ebb::DType::kF32, ebb::UsageError,
              "--precision bf16: the kernels of --device cpu compute in f32. Use --device cuda, or "
              "leave --precision out");
    if (options.profile) context->enable_profiler();
    ebb::install_signal_handlers();
    ebb::TrainRun(*context, options).run();
    if (options.profile) std::cerr << context->profiler()->table();
  });
  return ebb::run_program(program, std::vector<std::string>(argv, argv + argc));
}
