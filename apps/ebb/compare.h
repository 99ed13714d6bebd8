#pragma once

#include "apps/cli/command.h"

namespace ebb {

// `ebb compare MODEL REFERENCE`: finds the first layer where the engine and another implementation
// of the same model part. Exit code 1 when a layer is beyond the tolerance.
void add_compare_command(Command program);

}  // namespace ebb
