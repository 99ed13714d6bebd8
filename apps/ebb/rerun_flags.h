#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "apps/cli/command.h"

namespace ebb {

// What `ebb rerun` adds to a command line that it read from an image: one image of those the
// command makes goes to a file of its own, and nothing else is written. The flags do not show in
// --help, and are not part of the arguments that the image records.
struct RerunFlags {
  std::string output;  // empty: an ordinary run
  int64_t image = 0;   // its number among those in files of their own
  bool animation = false;

  bool active() const { return !output.empty(); }
};
void add_rerun_flags(Command command, RerunFlags& flags);

// `arguments` with these flags.
std::vector<std::string> with_rerun_flags(std::vector<std::string> arguments,
                                          const RerunFlags& flags);

// True when the command has these flags: `name` draws images that say how they were made.
bool is_sampling_command(const std::string& name);

}  // namespace ebb
