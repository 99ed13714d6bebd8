#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace ebb {

// `ebb edit`: noises a picture to chosen levels and denoises it again (SDEdit, Meng et al. 2022):
// sketches become digits, digits become others.
void add_edit_command(CLI::App& app, const std::vector<std::string>& arguments);

}  // namespace ebb
