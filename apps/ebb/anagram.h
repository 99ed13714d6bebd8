#pragma once

#include <string>
#include <vector>

#include "apps/cli/command.h"

namespace ebb {

// `ebb anagram`: images that show something else through each of several views (Geng, Park,
// Owens, "Visual Anagrams", 2024).
void add_anagram_command(Command program, const std::vector<std::string>& arguments);

}  // namespace ebb
