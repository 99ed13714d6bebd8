#pragma once

#include <string>
#include <vector>

#include "apps/cli/command.h"

namespace ebb {

// `ebb forward -i IMG -t 250,500,750`: an image with the noise of each timestep.
void add_forward_command(Command program, const std::vector<std::string>& arguments);

}  // namespace ebb
