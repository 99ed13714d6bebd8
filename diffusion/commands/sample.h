#pragma once

#include <string>
#include <vector>

#include "diffusion/program/command.h"

namespace ebb {

// `ebb sample`: draws pictures with a trained model. `arguments` is the program's command line,
// which the pictures record.
void add_sample_command(Command program, const std::vector<std::string>& arguments);

}  // namespace ebb
