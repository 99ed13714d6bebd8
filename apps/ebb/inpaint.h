#pragma once

#include <string>
#include <vector>

#include "apps/cli/command.h"

namespace ebb {

// `ebb inpaint`: makes part of an image new and keeps the rest to the last bit (RePaint, Lugmayr
// et al. 2022).
void add_inpaint_command(Command program, const std::vector<std::string>& arguments);

}  // namespace ebb
