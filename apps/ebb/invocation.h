#pragma once

#include <cstdint>
#include <iosfwd>
#include <optional>
#include <string>
#include <vector>

#include "apps/cli/progress.h"

namespace ebb {

// The single file that `ebb rerun` regenerates: one image of those that a command makes. Nothing
// else is written.
struct RerunTarget {
  std::string output;       // empty: an ordinary run
  int64_t image = 0;        // index among the images in files of their own
  bool animation = false;   // regenerate the animation instead
  std::string moves = {};   // Provenance::animation of that
  bool legacy_key = false;  // see Provenance::legacy_key
  // A file from before images were enlarged and sketches prepared: its command means what it meant
  // then, plain grids at their own size, inputs as they are, other defaults.
  bool early = false;

  bool active() const { return !output.empty(); }
};

// One call of a command. Must outlive it.
struct Invocation {
  std::vector<std::string> arguments;  // program name first; images record them in short
  std::ostream& out;  // text; the image of `-o -` goes to descriptor 1 (base/stream.h)
  std::ostream& err;  // warnings
  std::optional<ProgressMode> progress = {};  // instead of what --progress says
  RerunTarget rerun = {};
};

}  // namespace ebb
