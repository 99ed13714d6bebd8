#pragma once

#include <string>
#include <vector>

#include "diffusion/program/command.h"

namespace ebb {

// `ebb inpaint`: makes part of a picture new and keeps the rest to the last bit (RePaint, Lugmayr
// et al. 2022).
void add_inpaint_command(Command program, const std::vector<std::string>& arguments);

}  // namespace ebb
