#include "engine/memory_plan.h"

#include <algorithm>

#include "testing/catch.h"
#include "testing/random_data.h"

namespace ebb {
namespace {

int64_t aligned(int64_t bytes) { return (bytes + 63) / 64 * 64; }

bool alive_together(const MemoryRequest& a, const MemoryRequest& b) {
  return a.first <= b.last && b.first <= a.last;
}

// Empty when the plan is right.
std::string fault_of(const MemoryPlan& plan, const std::vector<MemoryRequest>& requests) {
  for (size_t i = 0; i < requests.size(); ++i) {
    const int64_t begin = plan.offsets[i], end = begin + requests[i].bytes;
    if (begin < 0 || begin % 64 != 0) return "offset " + std::to_string(begin);
    if (end > plan.total_bytes) return "block " + std::to_string(i) + " ends beyond the arena";
    for (size_t j = 0; j < i; ++j) {
      const int64_t other_end = plan.offsets[j] + requests[j].bytes;
      if (alive_together(requests[i], requests[j]) && begin < other_end && plan.offsets[j] < end) {
        return "blocks " + std::to_string(j) + " and " + std::to_string(i) + " overlap";
      }
    }
  }
  return "";
}

// The most bytes alive at one step: no plan needs less.
int64_t peak_bytes(const std::vector<MemoryRequest>& requests) {
  int64_t peak = 0;
  for (const MemoryRequest& at : requests) {
    int64_t alive = 0;
    for (const MemoryRequest& request : requests) {
      if (request.first <= at.first && at.first <= request.last) alive += aligned(request.bytes);
    }
    peak = std::max(peak, alive);
  }
  return peak;
}

TEST_CASE("blocks alive at the same step never overlap, for random requests", "[engine]") {
  test::RandomData random(1);
  for (int trial = 0; trial < 400; ++trial) {
    std::vector<MemoryRequest> requests;
    const int64_t count = random.integer(0, 40), steps = random.integer(1, 30);
    int64_t sum = 0;
    for (int64_t i = 0; i < count; ++i) {
      const int first = static_cast<int>(random.integer(0, steps));
      const int last = static_cast<int>(random.integer(first, std::min<int64_t>(steps, first + 8)));
      const int64_t bytes =
          random.integer(0, 3) == 0 ? random.integer(0, 70) : random.integer(0, 100000);
      requests.push_back({bytes, first, last});
      sum += aligned(bytes);
    }
    const MemoryPlan plan = plan_memory(requests);
    INFO("trial " << trial);
    REQUIRE(plan.offsets.size() == requests.size());
    CHECK(fault_of(plan, requests) == "");
    CHECK(plan.total_bytes <= sum);
    CHECK(plan.total_bytes >= peak_bytes(requests));
  }
}

TEST_CASE("blocks that follow each other share their place", "[engine]") {
  const MemoryPlan plan = plan_memory({{1000, 0, 1}, {1000, 2, 3}, {1000, 4, 4}});
  CHECK(plan.total_bytes == 1024);
  CHECK(plan.offsets == std::vector<int64_t>{0, 0, 0});
}

TEST_CASE("both ends of a block's life are its own", "[engine]") {
  // The second is written in the step that still reads the first.
  CHECK(plan_memory({{64, 0, 3}, {64, 3, 5}}).total_bytes == 128);
}

TEST_CASE("a chain of layers needs two buffers", "[engine]") {
  std::vector<MemoryRequest> chain;
  for (int i = 0; i < 20; ++i) chain.push_back({4096, i, i + 1});
  CHECK(plan_memory(chain).total_bytes == 2 * 4096);
}

TEST_CASE("a gap between two living blocks is used when it is large enough", "[engine]") {
  const MemoryPlan plan = plan_memory({{640, 0, 9}, {512, 0, 1}, {448, 0, 9}, {384, 2, 3}});
  CHECK(plan.total_bytes == 640 + 512 + 448);
  CHECK(plan.offsets[3] == plan.offsets[1]);
}

TEST_CASE("a plan of nothing is empty", "[engine]") {
  CHECK(plan_memory({}).total_bytes == 0);
  CHECK(plan_memory({{0, 5, -1}, {0, 0, 3}}).total_bytes == 0);
}

}  // namespace
}  // namespace ebb
