#pragma once

#include <string>
#include <vector>

#include "apps/cli/command.h"

namespace CLI {
class ParseError;
}

namespace ebb {

// CLI11's report on a bad command line as one line that starts with the flag or word and, where
// one comes close, suggests what was meant.
std::string usage_message(const Command& program, const CLI::ParseError& error);

// The command whose flags were being read: the chosen subcommand, or the program.
Command active_command(const Command& program);

// For parsing: '-' for '_' in the names of flags, and the numbers of a list in one word with
// commas. "-t 250 500" -> "-t 250,500".
std::vector<std::string> normalized_arguments(const Command& program,
                                              std::vector<std::string> arguments);

}  // namespace ebb
