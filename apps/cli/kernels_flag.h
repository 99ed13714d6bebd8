#pragma once

#include <string>
#include <vector>

#include "apps/cli/command.h"

namespace ebb {

// --kernels default|direct: which convolution kernels of the CPU run. "direct" computes every
// convolution as the plain sum of its products, without Winograd's transforms: slower, for
// comparisons. A program may have names of its own: `more`.
Flag add_kernels_flag(Command command, std::string& kernels,
                      const std::vector<std::string>& more = {});

}  // namespace ebb
