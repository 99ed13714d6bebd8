#pragma once

#include <cstdint>
#include <functional>
#include <string>

namespace ebb {

// The cost of a process and of those that it started, from its start to its end.
struct ProcessCost {
  int status = 0;  // as of waitpid()
  double wall_ms = 0;
  double user_ms = 0;
  double system_ms = 0;
  double waits = 0;        // a thread gave its core away: it slept
  double preemptions = 0;  // the system took the core from a thread
  double page_faults = 0;  // without reading from a disk: new pages

  double cpu_ms() const { return user_ms + system_ms; }
};

// The cost of `count` more units of work, per unit: what both processes spend once cancels out.
ProcessCost cost_per_unit(const ProcessCost& less, const ProcessCost& more, int64_t count);

// Runs a line of shell and hands over the lines of its stdout, each as it comes. IoError when it
// cannot be started.
ProcessCost run_process(const std::string& command,
                        const std::function<void(const std::string&)>& on_line);

}  // namespace ebb
