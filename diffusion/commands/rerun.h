#pragma once

#include <CLI/CLI.hpp>

namespace ebb {

// `ebb rerun PICTURE -o FILE`: makes a picture or animation again from what it says about itself.
void add_rerun_command(CLI::App& app);

}  // namespace ebb
