#pragma once

#include <string>
#include <vector>

#include "diffusion/program/command.h"

namespace ebb {

// `ebb forward -i IMG -t 250,500,750`: a picture with the noise of each timestep.
void add_forward_command(Command program, const std::vector<std::string>& arguments);

}  // namespace ebb
