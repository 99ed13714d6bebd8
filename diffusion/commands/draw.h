#pragma once

#include <string>
#include <vector>

#include "diffusion/program/command.h"

namespace ebb {

// `ebb draw NAME -o FILE`: one of ebb's own pictures to try the other commands on.
void add_draw_command(Command program, const std::vector<std::string>& arguments);

}  // namespace ebb
