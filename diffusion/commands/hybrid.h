#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace ebb {

// `ebb hybrid`: pictures whose parts, such as low and high frequencies, come from different prompts
// (Geng, Park, Owens, "Factorized Diffusion", 2024).
void add_hybrid_command(CLI::App& app, const std::vector<std::string>& arguments);

}  // namespace ebb
