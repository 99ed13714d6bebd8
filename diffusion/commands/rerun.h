#pragma once

#include "diffusion/program/command.h"

namespace ebb {

// `ebb rerun PICTURE -o FILE`: makes a picture or animation again from what it says about itself.
void add_rerun_command(Command program);

}  // namespace ebb
