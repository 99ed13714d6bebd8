#pragma once

#include <string>
#include <vector>

#include "apps/cli/command.h"

namespace ebb {

// `ebb sample`: draws images with a trained model. `arguments` is the program's command line,
// which the images record.
void add_sample_command(Command program, const std::vector<std::string>& arguments);

}  // namespace ebb
