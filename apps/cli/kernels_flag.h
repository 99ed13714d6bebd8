#pragma once

#include <string>
#include <vector>

#include "apps/cli/command.h"

namespace ebb {

// --kernels default|direct: which convolution kernels the process may use. "direct" computes every
// convolution as the plain sum of its products, without Winograd's transforms: slower, for
// comparisons.
//
// A program may have names of its own: *chosen becomes one of `more`, or stays empty.
Flag add_kernels_flag(Command command, const std::vector<std::string>& more = {},
                      std::string* chosen = nullptr);

// What the flag chose: "default" or "direct".
std::string kernels_in_use();

}  // namespace ebb
