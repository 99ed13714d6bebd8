#pragma once

#include <CLI/CLI.hpp>

namespace ebb {

// `ebb convert MODEL -o FILE [--dtype f32|f16] [--meta key=value]`: writes a model again with
// another storage type, keeping its metadata.
void add_convert_command(CLI::App& app);

}  // namespace ebb
