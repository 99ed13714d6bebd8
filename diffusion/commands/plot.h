#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace ebb {

// `ebb plot MODEL... -o FILE`: the loss curves that model files carry.
void add_plot_command(CLI::App& app, const std::vector<std::string>& arguments);

}  // namespace ebb
