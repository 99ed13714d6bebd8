#pragma once

#include <CLI/CLI.hpp>

namespace ebb {

// `ebb inspect FILE... [--json]`: what a file holds, for safetensors, IDX(.gz) and PNG files. Reads
// every byte and applies every rule of the loaders, so a file that passes here loads.
void add_inspect_command(CLI::App& app);

}  // namespace ebb
