#pragma once

#include <memory>

#include "engine/backend.h"

namespace ebb {

// A context whose kernels are the CUDA sources, run and checked on the host as on the GPU
// options.emulated; in builds with tests.
// Every block of memory is the emulator's, so that an access beyond it or before its first write
// stops the program with the place in the kernel.
std::unique_ptr<Context> make_emu_context(const ContextOptions& options);

}  // namespace ebb
