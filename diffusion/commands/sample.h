#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace ebb {

// `ebb sample`: draws pictures with a trained model. `arguments` is the program's command line,
// which the pictures record.
void add_sample_command(CLI::App& app, const std::vector<std::string>& arguments);

}  // namespace ebb
