#pragma once

#include <string>
#include <vector>

#include "diffusion/program/command.h"

namespace ebb {

// `ebb anagram`: pictures that show something else through each of several views (Geng, Park,
// Owens, "Visual Anagrams", 2024).
void add_anagram_command(Command program, const std::vector<std::string>& arguments);

}  // namespace ebb
