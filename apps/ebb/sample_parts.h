#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "apps/ebb/sample_job.h"
#include "apps/ebb/sample_share.h"

namespace ebb {

// The images of a command: number k has seed first_seed + k and label k in any process.
struct SamplePlan {
  int64_t images = 0;
  std::vector<int64_t> labels;  // [images]
  std::string text;             // of all images together
  int64_t columns = 1;          // of a figure
};

// Whether the command's images are drawn block by block, each as it is finished: more than one
// process, --missing, or an output that holds all of them. UsageError for flags that this excludes.
bool draws_parts(const SampleFlags& flags, const ShareFlags& share_flags, const SampleShare& share);

// Draws this process's share into files of their own, or into one for all (stored_samples.h).
void draw_parts(SampleJob& job, const SampleFlags& flags, const ShareFlags& share_flags,
                const SampleShare& share, const SamplePlan& plan);

}  // namespace ebb
