#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace ebb {

// `ebb denoise`: noises a picture and shows what the model makes of it: its estimate in one step,
// or the way back step by step.
void add_denoise_command(CLI::App& app, const std::vector<std::string>& arguments);

}  // namespace ebb
