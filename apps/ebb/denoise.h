#pragma once

#include <string>
#include <vector>

#include "apps/cli/command.h"

namespace ebb {

// `ebb denoise`: noises an image and shows what the model makes of it: its estimate in one step,
// or the way back step by step.
void add_denoise_command(Command program, const std::vector<std::string>& arguments);

}  // namespace ebb
