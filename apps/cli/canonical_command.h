#pragma once

#include <string>
#include <vector>

namespace ebb {

// A command line of ebb as images record it: "ebb" for the path of the program, and without the
// flags that change no pixel: where the result goes, what is printed, how many processes, threads
// and images at once compute it. So the same command gives the same bytes from any directory and
// any installation. What remains, names of inputs too, is as the user wrote it.
std::vector<std::string> canonical_command(const std::vector<std::string>& argv);

}  // namespace ebb
