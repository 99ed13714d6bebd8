#pragma once

#include <CLI/CLI.hpp>

namespace ebb {

// ebb eval MODEL: how good a trained model is. docs/evaluation.md explains the figures.
void add_eval_command(CLI::App& app);

}  // namespace ebb
