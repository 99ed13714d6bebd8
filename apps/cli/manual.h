#pragma once

#include <string>

#include "apps/cli/command.h"
#include "apps/cli/command_record.h"

namespace ebb {

// The manual of a program or command for man(1), "ebb-sample.1".
std::string manual_page(const CommandRecord& command);
std::string manual_name(const CommandRecord& command);

// Writes the manuals of a program and of all its commands to a directory, which is made if missing.
void write_manuals(const std::string& directory, const CommandRecord& program);

// The program's part of docs/reference.md.
std::string reference_text(const CommandRecord& program);

// The hidden flags of a program without commands: --completion SHELL, --man DIR and --reference,
// which answer and end the program, whatever else it would require.
void add_document_flags(Command program);

}  // namespace ebb
