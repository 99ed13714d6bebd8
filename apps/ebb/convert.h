#pragma once

#include "apps/cli/command.h"

namespace ebb {

// `ebb convert MODEL -o FILE [--dtype f32|f16] [--meta key=value]`: writes a model again with
// another storage type, keeping its metadata.
void add_convert_command(Command program);

}  // namespace ebb
