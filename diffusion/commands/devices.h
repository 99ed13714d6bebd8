#pragma once

#include <CLI/CLI.hpp>

namespace ebb {

// `ebb devices`: the values of --device that work here, and why the others don't.
void add_devices_command(CLI::App& app);

}  // namespace ebb
