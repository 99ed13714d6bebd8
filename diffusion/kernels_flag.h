#pragma once

#include <string>

#include "diffusion/command.h"

namespace ebb {

// --kernels default|direct: which convolution kernels the process may use. "direct" computes every
// convolution as the plain sum of its products, without Winograd's transforms: slower, for
// comparisons.
Flag add_kernels_flag(Command command);

// What the flag chose: "default" or "direct".
std::string kernels_in_use();

}  // namespace ebb
