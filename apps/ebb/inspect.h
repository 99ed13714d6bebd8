#pragma once

#include "apps/cli/command.h"

namespace ebb {

// `ebb inspect FILE... [--json]`: what a file holds, for safetensors, IDX(.gz) and PNG files. Reads
// every byte and applies every rule of the loaders, so a file that passes here loads.
void add_inspect_command(Command program);

}  // namespace ebb
