#include "engine/memory_plan.h"

#include <algorithm>
#include <numeric>

namespace ebb {

MemoryPlan plan_memory(const std::vector<MemoryRequest>& requests) {
  constexpr int64_t kAlignment = 64;
  const auto aligned = [](int64_t bytes) {
    return (bytes + kAlignment - 1) / kAlignment * kAlignment;
  };

  std::vector<size_t> order(requests.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return requests[a].bytes > requests[b].bytes; });

  MemoryPlan plan;
  plan.offsets.assign(requests.size(), 0);
  std::vector<size_t> placed;  // by offset
  for (size_t r : order) {
    const MemoryRequest& request = requests[r];
    int64_t offset = 0;
    for (size_t other : placed) {
      const bool alive_together =
          requests[other].first <= request.last && request.first <= requests[other].last;
      if (!alive_together) continue;
      if (offset + aligned(request.bytes) <= plan.offsets[other]) break;
      offset = std::max(offset, plan.offsets[other] + aligned(requests[other].bytes));
    }
    plan.offsets[r] = offset;
    plan.total_bytes = std::max(plan.total_bytes, offset + aligned(request.bytes));
    placed.insert(
        std::upper_bound(placed.begin(), placed.end(), r,
                         [&](size_t a, size_t b) { return plan.offsets[a] < plan.offsets[b]; }),
        r);
  }
  return plan;
}

}  // namespace ebb
