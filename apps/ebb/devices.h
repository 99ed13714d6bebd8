#pragma once

#include "apps/cli/command.h"

namespace ebb {

// `ebb devices`: the values of --device that work here, and why the others don't.
void add_devices_command(Command program);

}  // namespace ebb
