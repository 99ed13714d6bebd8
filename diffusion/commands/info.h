#pragma once

#include <CLI/CLI.hpp>

namespace ebb {

// `ebb info PICTURE [--json]`: how a PNG was made, from the text in it.
void add_info_command(CLI::App& app);

}  // namespace ebb
