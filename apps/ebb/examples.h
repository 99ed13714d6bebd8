#pragma once

#include <string>
#include <vector>

#include "apps/cli/command_record.h"

namespace ebb {

// Command lines to begin with, for the end of a command's help; of "ebb", three to begin at all.
const std::vector<Example>& examples_of(const std::string& command);

}  // namespace ebb
