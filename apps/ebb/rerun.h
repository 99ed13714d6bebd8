#pragma once

#include "apps/cli/command.h"

namespace ebb {

// `ebb rerun PICTURE -o FILE`: makes an image or animation again from what it says about itself.
void add_rerun_command(Command program);

}  // namespace ebb
