#pragma once

#include <string>
#include <vector>

#include "apps/cli/command.h"

namespace ebb {

// `ebb plot MODEL... -o FILE`: the loss curves that model files carry.
void add_plot_command(Command program, const std::vector<std::string>& arguments);

}  // namespace ebb
