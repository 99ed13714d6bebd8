#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "apps/cli/cli.h"
#include "apps/cli/command.h"

namespace ebb {

// Flags of a command whose images several processes draw.
struct ShareFlags {
  std::string part;  // --part; empty: as the launcher says
  std::string launcher = "auto";
  bool missing = false;
  bool gray = false;
};
void add_share_flags(Command command, ShareFlags& flags);

// Consecutive images that one process draws and writes.
struct SampleBlock {
  int64_t index = 0;
  int64_t first = 0;  // image
  int64_t images = 0;
};

// N images are cut into blocks of ceil(N / 256) images, at least 8 (the last may be smaller): a
// function of N alone.
std::vector<SampleBlock> sample_blocks(int64_t images);

// The process draws every parts-th block, from number `part` on. No process needs another one.
struct SampleShare {
  int64_t part = 0, parts = 1;
  bool launched = false;                    // by a launcher, beside the others
  int64_t local_part = 0, local_parts = 1;  // on this machine, where a launcher says so

  bool is_all() const { return parts == 1; }
  bool owns(const SampleBlock& block) const { return block.index % parts == part; }
};

// --part I/N, else what the launcher's variables say. UsageError for a part that is none.
SampleShare read_share(const ShareFlags& flags);

// --device for one of the processes that a launcher started on a machine that shows so many GPUs:
// each takes one of its own. DeviceError when there are too few, UsageError for a number that all
// of them would take.
std::string device_of_share(const std::string& device, const SampleShare& share, int64_t gpus);
// Threads of such a process: its part of the CPUs where it may use all of them, else what it may
// use.
int64_t threads_of_share(const SampleShare& share, int64_t available, int64_t cpus);
// Both, for the machine as it is and the flags that were not given.
void share_machine(const SampleShare& share, DeviceFlags& flags);

}  // namespace ebb
