#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace ebb {

// `ebb anagram`: pictures that show something else through each of several views (Geng, Park,
// Owens, "Visual Anagrams", 2024).
void add_anagram_command(CLI::App& app, const std::vector<std::string>& arguments);

}  // namespace ebb
