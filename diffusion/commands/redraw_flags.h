#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "diffusion/program/command.h"

namespace ebb {

// What `ebb rerun` adds to a command line that it read from a picture: one picture of those the
// command makes goes to a file of its own, and nothing else is written. The flags do not show in
// --help, and are not part of the arguments that the picture records.
struct RedrawFlags {
  std::string output;   // empty: an ordinary run
  int64_t picture = 0;  // its number among those in files of their own
  bool animation = false;

  bool active() const { return !output.empty(); }
};
void add_redraw_flags(Command command, RedrawFlags& flags);

// `arguments` with these flags.
std::vector<std::string> with_redraw_flags(std::vector<std::string> arguments,
                                           const RedrawFlags& flags);

// True when the command has these flags: `name` draws pictures that say how they were made.
bool is_drawing_command(const std::string& name);

}  // namespace ebb
