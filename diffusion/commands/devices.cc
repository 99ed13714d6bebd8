#include "diffusion/commands/devices.h"

#include <iostream>

#include "engine/backend.h"
#include "kernels/cpu/simd_name.h"

namespace ebb {
namespace {

std::string cuda_status() {
  try {
    return to_string(make_context("cuda", 0)->device());
  } catch (const DeviceError& error) {
    return cat("not available: ", error.what());
  }
}

void run() {
  std::cout << "cpu   " << cpu::simd_name() << " kernels, " << available_threads() << " threads\n"
            << "cuda  " << cuda_status() << '\n'
            << "auto  " << to_string(make_context("auto", 0)->device()) << '\n';
}

}  // namespace

void add_devices_command(CLI::App& app) {
  app.add_subcommand("devices", "List the devices that --device can name here")->callback(run);
}

}  // namespace ebb
