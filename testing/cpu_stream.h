#pragma once

#include "base/kernel_stream.h"

namespace ebb::test {

// A CPU stream with this many threads.
inline KernelStream cpu_stream(int threads = 1) { return {.threads = threads}; }

// Thread counts whose results must equal those of one thread: fewer and more than this machine's
// cores, and a number that divides no power of two.
inline constexpr int kThreadCounts[] = {2, 3, 8};

}  // namespace ebb::test
