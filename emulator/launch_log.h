#pragma once

#include "kernels/simt/emulator.h"

namespace ebb::simt::engine {

// The kernels that tests run on the emulator, for docs/kernels.md. With EBB_EMULATOR_LOG=FILE the
// program writes FILE when it ends:
//   launches NAME CHECKED OTHERS THREADS SHARED   per kernel: under the checker and without, the
//                                                 largest block and its shared memory, static
//                                                 and dynamic
//   cases COUNT
void log_launch(const emulator::Grid& grid, int64_t static_shared, bool checked);

// A case: one call of an op, checked in forward order, whose results are the same bits in reverse
// and in shuffled order. How many there were is printed when the program ends.
void log_case();

}  // namespace ebb::simt::engine
