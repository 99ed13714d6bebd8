#pragma once

#include <cstddef>
#include <string>

#include "apps/cli/command_record.h"

namespace ebb {

// Columns for help: $COLUMNS, else those of the terminal on standard output, else 80; 40 to 100,
// since longer lines are hard to read.
size_t help_width();

// "ebb eval MODEL [FLAGS]"
std::string usage_of(const CommandRecord& command);
// "-s, --seed INT 0..9"
std::string heading_of(const FlagRecord& flag);
// The help with what else is to know: "Output file. Required.", "Model file (mnist-class)".
std::string full_help(const FlagRecord& flag);

// The answer to --help: usage, flags by group or commands by family, examples. No line is longer
// than `width` unless a word is.
std::string help_text(const CommandRecord& command, size_t width);

}  // namespace ebb
