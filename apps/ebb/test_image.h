#pragma once

#include <string>
#include <vector>

#include "apps/cli/command.h"

namespace ebb {

// `ebb draw NAME -o FILE`: one of ebb's own images to try the other commands on.
void add_test_image_command(Command program, const std::vector<std::string>& arguments);

}  // namespace ebb
