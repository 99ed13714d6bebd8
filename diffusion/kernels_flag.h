#pragma once

#include <CLI/CLI.hpp>
#include <string>

namespace ebb {

// --kernels default|direct: which convolution kernels the process may use. "direct" computes every
// convolution as the plain sum of its products, without Winograd's transforms: slower, for
// comparisons.
CLI::Option* add_kernels_flag(CLI::App& app);

// What the flag chose: "default" or "direct".
std::string kernels_in_use();

}  // namespace ebb
