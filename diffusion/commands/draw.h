#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace ebb {

// `ebb draw NAME -o FILE`: one of ebb's own pictures to try the other commands on.
void add_draw_command(CLI::App& app, const std::vector<std::string>& arguments);

}  // namespace ebb
