#pragma once

#include <string>
#include <vector>

#include "apps/cli/command.h"

namespace ebb {

// `ebb edit`: noises an image to chosen levels and denoises it again (SDEdit, Meng et al. 2022):
// sketches become digits, digits become others.
void add_edit_command(Command program, const std::vector<std::string>& arguments);

}  // namespace ebb
