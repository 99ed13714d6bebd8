#pragma once

#include <cstdint>
#include <vector>

namespace ebb {

// A block that must exist from step `first` to step `last`, both included.
struct MemoryRequest {
  int64_t bytes = 0;
  int first = 0;
  int last = 0;
};

struct MemoryPlan {
  std::vector<int64_t> offsets;  // one per request, 64-byte aligned
  int64_t total_bytes = 0;
};

// Places blocks in one arena so that blocks alive at the same step do not overlap: the largest
// first, each at the lowest offset that is free over its whole life.
MemoryPlan plan_memory(const std::vector<MemoryRequest>& requests);

}  // namespace ebb
