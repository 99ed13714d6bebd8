#pragma once

#include <optional>
#include <string>

namespace ebb {

// CPU threads this process may use: OMP_NUM_THREADS where it is a positive number, as with OpenMP's
// programs; otherwise the CPUs of the affinity mask, at most as many as the quota of the control
// group of a container, a batch job or a service, rounded up.
int available_threads();

// The first number of a value of OMP_NUM_THREADS, such as "4" or "4,2"; at most 1024, as --threads.
std::optional<int> parse_omp_num_threads(const char* value);

// The quota in CPUs, rounded up: the smallest of this process's control group and those around it,
// version 2 (cpu.max) or 1 (cpu.cfs_quota_us). `root` is the directory that has proc and sys.
std::optional<int> cgroup_cpus(const std::string& root);

}  // namespace ebb
