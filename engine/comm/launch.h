#pragma once

#include <functional>
#include <map>
#include <string>

namespace ebb {

// The environment variables of a process by name.
using Environment = std::map<std::string, std::string, std::less<>>;
Environment process_environment();

// The place of a process among those that a launcher started together: mpirun, srun, torchrun, an
// operator of Kubernetes.
struct Launch {
  int rank = 0, ranks = 1;
  int local_rank = 0, local_ranks = 1;  // on this machine
  std::string launcher;                 // "mpirun", "srun", "torchrun", "env"; empty: none
  std::string address;  // host:port of rank 0, where NCCL meets without MPI; empty: not told

  bool operator==(const Launch&) const = default;
};

// The innermost launcher counts where several have left their variables: torchrun in a task of
// srun, mpirun in a batch script. A batch or interactive session of Slurm is no launcher, although
// SLURM_NTASKS and SLURM_PROCID are set there: only a step started other tasks. UsageError names
// variables that are missing, no numbers, or contradict each other.
Launch read_launch(const Environment& variables);

}  // namespace ebb
