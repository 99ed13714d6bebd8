#include <algorithm>
#include <functional>
#include <numeric>
#include <vector>

#include "base/error.h"
#include "kernels/simt/shared_memory.h"
#include "testing/catch.h"
#include "testing/emulated.h"
#include "tests/emulator/primitives.h"

namespace ebb {
namespace {

using simt::emulator::Order;
using test::DeviceArray;
using test::EmulatorOptions;

std::vector<int32_t> arrivals(Order order, uint32_t seed) {
  const EmulatorOptions options({.order = order, .seed = seed});
  DeviceArray<uint32_t> counter(std::vector<uint32_t>{0}, "counter");
  DeviceArray<int32_t> places(128, "places");
  emu::arrival_order(counter.get(), places.get(), {});
  return places.values();
}

TEST_CASE("threads and blocks run forward, in reverse or shuffled by seed") {
  std::vector<int32_t> all(128);
  std::iota(all.begin(), all.end(), 0);
  CHECK(arrivals(Order::kForward, 1) == all);
  const std::vector<int32_t> shuffled = arrivals(Order::kShuffled, 1);
  CHECK(shuffled != all);
  CHECK(shuffled == arrivals(Order::kShuffled, 1));
  CHECK(shuffled != arrivals(Order::kShuffled, 2));
  std::vector<int32_t> sorted = shuffled;
  std::sort(sorted.begin(), sorted.end());
  CHECK(sorted == all);
  std::reverse(all.begin(), all.end());
  CHECK(arrivals(Order::kReverse, 1) == all);
}

TEST_CASE("launches beyond the limits of a GPU are refused") {
  CHECK_NOTHROW(emu::empty_grid(1, 1, 1, 1024, 227 << 10, {}));
  CHECK_THROWS_AS(emu::empty_grid(1, 1, 1, 1025, 0, {}), DeviceError);
  CHECK_THROWS_AS(emu::empty_grid(1, 1, 1, 0, 0, {}), DeviceError);
  CHECK_THROWS_AS(emu::empty_grid(1, 65536, 1, 32, 0, {}), DeviceError);
  CHECK_THROWS_AS(emu::empty_grid(1, 1, 65536, 32, 0, {}), DeviceError);
  CHECK_THROWS_AS(emu::empty_grid(1, 1, 1, 32, (227 << 10) + 1, {}), DeviceError);
}

TEST_CASE("static shared memory counts beside dynamic") {
  using emu::StaticShared;
  // 16 KiB of static.
  CHECK_NOTHROW(emu::shared_limits(StaticShared::kMost, 211 << 10, {}));
  CHECK_THROWS_AS(emu::shared_limits(StaticShared::kMost, (211 << 10) + 1, {}), DeviceError);
  // The dynamic part begins at a multiple of 1024.
  CHECK_NOTHROW(emu::shared_limits(StaticShared::kOneByte, 226 << 10, {}));
  CHECK_THROWS_AS(emu::shared_limits(StaticShared::kOneByte, (226 << 10) + 1, {}), DeviceError);
  // More than a launch relies on.
  CHECK_NOTHROW(emu::shared_limits(StaticShared::kTooMuch, 0, {}));
  CHECK_THROWS_WITH(emu::shared_limits(StaticShared::kTooMuch, 1, {}),
                    Catch::Matchers::Contains("at most 16384 are allowed"));
}

TEST_CASE("a launch asks for shared memory as if static variables were there") {
  using simt::must_ask_for_shared;
  CHECK_FALSE(must_ask_for_shared(0));
  CHECK_FALSE(must_ask_for_shared(32 << 10));
  CHECK(must_ask_for_shared((32 << 10) + 1));
  // conv_simt takes 48 KiB: with one static variable more than a GPU gives without being asked.
  CHECK_NOTHROW(emu::shared_limits(emu::StaticShared::kOneByte, 48 << 10, {}));
  CHECK_NOTHROW(emu::shared_limits(emu::StaticShared::kMost, 32 << 10, {}));
}

TEST_CASE("a recorded launch beyond the limits of a GPU is refused when it is recorded") {
  std::vector<std::function<void()>> steps;
  simt::emulator::record_launches(&steps);
  CHECK_NOTHROW(emu::empty_grid(1 << 20, 65535, 65535, 32, 0, {}));
  CHECK_THROWS_AS(emu::empty_grid(1, 65536, 1, 32, 0, {}), DeviceError);
  simt::emulator::record_launches(nullptr);
  CHECK(steps.size() == 1);
}

TEST_CASE("of a large grid the corners and the middle can be run alone") {
  const EmulatorOptions options({.corners = true});
  const uint64_t before = simt::emulator::statistics().blocks;
  emu::empty_grid(1 << 20, 65535, 2, 32, 0, {});
  CHECK(simt::emulator::statistics().blocks == before + 3 * 3 * 2);
  emu::empty_grid(1, 1, 1, 32, 0, {});
  CHECK(simt::emulator::statistics().blocks == before + 3 * 3 * 2 + 1);
}

TEST_CASE("sparse memory takes addresses alone") {
  const int64_t bytes = int64_t{32} << 30;
  auto* data = static_cast<char*>(simt::emulator::allocate_sparse(bytes, "sparse"));
  REQUIRE(data != nullptr);
  data[bytes - 1] = 7;
  CHECK(data[bytes - 1] == 7);
  simt::emulator::release(data);
}

TEST_CASE("an empty grid runs nothing") {
  const uint64_t before = simt::emulator::statistics().blocks;
  emu::empty_grid(0, 1, 1, 32, 0, {});
  emu::empty_grid(4, 0, 1, 32, 0, {});
  CHECK(simt::emulator::statistics().blocks == before);
  emu::empty_grid(4, 2, 1, 32, 0, {});
  CHECK(simt::emulator::statistics().blocks == before + 8);
}

TEST_CASE("released device memory is found no more and used again") {
  void* first = simt::emulator::allocate(1000, "first");
  simt::emulator::release(first);
  void* second = simt::emulator::allocate(1000, "second");
  CHECK(second == first);
  simt::emulator::release(second);
}

TEST_CASE("releasing a buffer of no bytes leaves its neighbors alone") {
  void* empty = simt::emulator::allocate(0, "empty");
  const std::vector<int32_t> values{1, 2, 3};
  const DeviceArray<int32_t> neighbor(values, "neighbor");
  for (int i = 0; i < 3; ++i) {  // the place of one is the next one's
    simt::emulator::release(empty);
    empty = simt::emulator::allocate(0, "empty");
  }
  simt::emulator::release(empty);
  CHECK(neighbor.values() == values);
}

}  // namespace
}  // namespace ebb
