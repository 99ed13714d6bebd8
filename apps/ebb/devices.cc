#include "apps/ebb/devices.h"

#include <iostream>

#include "engine/backend.h"

namespace ebb {
namespace {

void run() {
  for (const std::string& line : list_devices()) std::cout << line << '\n';
}

}  // namespace

void add_devices_command(Command program) {
  program.add_subcommand("devices", "List the devices that --device can name here").callback(run);
}

}  // namespace ebb
