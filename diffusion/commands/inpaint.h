#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace ebb {

// `ebb inpaint`: makes part of a picture new and keeps the rest to the last bit (RePaint, Lugmayr
// et al. 2022).
void add_inpaint_command(CLI::App& app, const std::vector<std::string>& arguments);

}  // namespace ebb
