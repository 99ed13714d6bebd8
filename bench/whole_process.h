#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "bench/harness.h"

namespace ebb {

// A training that is measured as whole processes, `few` and `many` steps long: what a step costs is
// the difference, so starting, warming up and the clock inside a process count for nothing.
struct WholeProcess {
  std::string program;  // this one and its flags; --only-steps makes it train and nothing else
  std::string shape;    // more flags, the peer's too: " --hidden 64 --batch-size 128 --threads 2"
  int64_t few = 0;
  int64_t many = 0;
};

// Adds to `row` what a step costs ebb and, alternating, the peer: wall time, and in more columns
// CPU time, the times that threads waited or lost their core, and new pages.
void measure_whole_processes(const WholeProcess& work, const BenchFlags& flags, BenchReport& report,
                             BenchRow row);

// The line that a process of --only-steps prints, as the peer's.
void print_steps(const std::vector<double>& step_ms, double peak_mb);

}  // namespace ebb
