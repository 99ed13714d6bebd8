#pragma once

#include <string>
#include <vector>

#include "apps/cli/command.h"

namespace ebb {

// `ebb hybrid`: images whose parts, such as low and high frequencies, come from different prompts
// (Geng, Park, Owens, "Factorized Diffusion", 2024).
void add_hybrid_command(Command program, const std::vector<std::string>& arguments);

}  // namespace ebb
