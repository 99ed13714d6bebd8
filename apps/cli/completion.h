#pragma once

#include <string>
#include <vector>

#include "apps/cli/command_record.h"

namespace ebb {

// "bash", "zsh", "fish"
const std::vector<std::string>& shell_names();

// A script for one of these shells that completes the program's commands, flags, choices, files by
// kind and, by asking `ebb models --names`, models.
std::string completion_script(const std::string& shell, const CommandRecord& program);

}  // namespace ebb
