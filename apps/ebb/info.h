#pragma once

#include "apps/cli/command.h"

namespace ebb {

// `ebb info PICTURE [--json]`: how a PNG was made, from the text in it.
void add_info_command(Command program);

}  // namespace ebb
