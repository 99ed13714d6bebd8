#pragma once

#include "apps/cli/command.h"

namespace ebb {

// `ebb report -o DIR`: the whole assignment as one HTML page, each figure made by a command of ebb.
void add_report_command(Command program);

}  // namespace ebb
