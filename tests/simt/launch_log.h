#pragma once

namespace ebb::simt::engine {

// Counts a launch of a kernel. With EBB_EMULATOR_LOG=FILE the program appends one line per kernel
// to FILE when it ends: name, launches under the checker, launches without. docs/kernels.md is made
// of such files.
void log_launch(const char* kernel, bool checked);

}  // namespace ebb::simt::engine
