#include "diffusion/cli.h"
#include "diffusion/commands/compare.h"
#include "diffusion/commands/convert.h"
#include "diffusion/commands/devices.h"
#include "diffusion/commands/info.h"
#include "diffusion/commands/inspect.h"
#include "diffusion/commands/sample.h"

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv, argv + argc);
  CLI::App app("Diffusion models from the command line.", "ebb");
  ebb::add_version_flag(app);
  app.require_subcommand(1);
  ebb::add_sample_command(app, arguments);
  ebb::add_compare_command(app);
  ebb::add_inspect_command(app);
  ebb::add_info_command(app);
  ebb::add_convert_command(app);
  ebb::add_devices_command(app);
  return ebb::run_program(app, arguments);
}
