#pragma once

#include <string>
#include <vector>

namespace ebb {

// The program `ebb` with all its commands; `arguments` starts with the program's name.
// Returns the exit code, errors go to stderr: what main() does.
int run_ebb(const std::vector<std::string>& arguments);

// The same for commands that run other commands (`ebb rerun`, `ebb report`): errors are thrown.
void run_ebb_or_throw(const std::vector<std::string>& arguments);

// Runs `arguments`, while images record `recorded` as the command that made them.
void run_recorded_ebb_or_throw(const std::vector<std::string>& arguments,
                               const std::vector<std::string>& recorded);

}  // namespace ebb
