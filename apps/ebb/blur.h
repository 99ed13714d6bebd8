#pragma once

#include <string>
#include <vector>

#include "apps/cli/command.h"

namespace ebb {

// `ebb blur -i IMG -t 250,500,750`: noised images and what Gaussian blur makes of them, the
// classical way to denoise; the kernel that comes closest to the original, unless one is given.
void add_blur_command(Command program, const std::vector<std::string>& arguments);

}  // namespace ebb
