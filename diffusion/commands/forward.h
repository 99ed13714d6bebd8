#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace ebb {

// `ebb forward -i IMG -t 250,500,750`: a picture with the noise of each timestep.
void add_forward_command(CLI::App& app, const std::vector<std::string>& arguments);

}  // namespace ebb
