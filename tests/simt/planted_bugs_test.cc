#include "tests/simt/planted_bugs.h"

#include <cmath>
#include <string>
#include <vector>

#include "base/dtype.h"
#include "base/error.h"
#include "tests/support/catch.h"
#include "tests/support/emulated.h"

namespace ebb {
namespace {

using emu::Bug;
using emu::HopperBug;
using test::DeviceArray;
using test::EmulatorOptions;

// What the emulator says about a planted bug; empty when it finds nothing.
std::string finding(Bug bug, bool check, simt::emulator::Order order) {
  const EmulatorOptions options({.order = order, .check = check});
  DeviceArray<float> buf(192, "buf");  // the last 64 are never written
  buf.upload(std::vector<float>(128, 1.0f));
  DeviceArray<uint32_t> counter(std::vector<uint32_t>{0}, "counter");
  try {
    emu::run_bug(bug, buf.get(), 128, counter.get(), {});
    if (bug == Bug::kNoneTwoKernels) emu::run_bug(bug, buf.get(), 128, counter.get(), {});
  } catch (const DeviceError& error) {
    return error.what();
  }
  return "";
}

struct Planted {
  Bug bug;
  const char* what;      // a part of the finding; null: correct code
  bool without_checker;  // the scheduler alone finds it
};
const Planted kPlanted[] = {
    {Bug::kNone, nullptr, false},
    {Bug::kNoneNamedBarrier, nullptr, false},
    {Bug::kNoneSyncWarp, nullptr, false},
    {Bug::kNoneTwoKernels, nullptr, false},
    {Bug::kBytesOfOneWord, nullptr, false},
    {Bug::kMissingBarrier, "uninitialised", false},
    {Bug::kDynamicSharedOverrun, "0 bytes past the end of 'dynamic shared memory' (256 bytes)",
     false},
    {Bug::kStaticSharedOverrun, "0 bytes past the end of 'a' (128 bytes)", false},
    {Bug::kDivergentBarrier, "divergent barrier", true},
    {Bug::kBarrierNotReachedByAll, "__syncthreads()", true},
    {Bug::kReturnBeforeBarrier, "__syncthreads()", true},
    {Bug::kWriteAfterReadInWarp, "data race: ", false},
    {Bug::kShuffleAsBarrier, "uninitialised", false},
    {Bug::kShuffleNamesAbsentLanes, "shuffle of lanes ffffffff", true},
    {Bug::kShuffleFromOutsideMask, "reads lane 20, which is not in the mask ffff", true},
    {Bug::kDivergentMma, "divergent warp", true},
    {Bug::kBlocksOverlap, "of another block", false},
    {Bug::kReadOfOtherBlock, "of another block", false},
    {Bug::kUninitialisedShared, "read of uninitialised memory", false},
    {Bug::kUninitialisedGlobal, "read of uninitialised memory", false},
    {Bug::kGlobalOverrun, "0 bytes past the end of 'buf' (768 bytes)", false},
    {Bug::kGlobalUnderrun, "bytes before 'buf'", false},
    {Bug::kMisaligned, "misaligned: ", false},
    {Bug::kCopyNotWaitedFor, "in flight", false},
    {Bug::kCopyWaitedForTooLate, "in flight", false},
    {Bug::kCopyWithoutBarrier, "data race: ", false},
    {Bug::kStoreAgainstAtomic, "data race: ", false},
    {Bug::kReadThenWriteWithoutBarrier, "data race: ", false},
    {Bug::kNamedBarrierTooMany, "deadlock: ", true},
    {Bug::kNamedBarrierOfWrongWarps, "data race: ", false},
    {Bug::kLastBlockWithoutRelease, "of another block", false},
    {Bug::kTooManySharedBytes, "static shared memory", true},
};

TEST_CASE("the checker finds every planted bug, and none in correct kernels") {
  CHECK(std::size(kPlanted) == static_cast<size_t>(Bug::kCount));
  for (const Planted& planted : kPlanted) {
    for (const simt::emulator::Order order : test::kOrders) {
      const std::string found = finding(planted.bug, true, order);
      INFO("bug " << static_cast<int>(planted.bug) << ", order " << static_cast<int>(order)
                  << ", found: " << found);
      if (planted.what == nullptr) {
        CHECK(found == "");
        continue;
      }
      // In another order a race may show from its other side.
      if (order == simt::emulator::Order::kForward) {
        CHECK(found.find(planted.what) != std::string::npos);
      }
      CHECK(found != "");
      CHECK(found.find("kernel bug, block (") == 0);
    }
  }
}

TEST_CASE("findings name the line of the kernel that did it") {
  for (const Planted& planted : kPlanted) {
    if (planted.what == nullptr || planted.bug == Bug::kTooManySharedBytes) continue;
    const std::string found = finding(planted.bug, true, simt::emulator::Order::kForward);
    INFO(found);
    CHECK(found.find("planted_bugs.cu:") != std::string::npos);
  }
}

TEST_CASE("misused barriers and warp operations are found without the checker") {
  for (const Planted& planted : kPlanted) {
    if (!planted.without_checker) continue;
    const std::string found = finding(planted.bug, false, simt::emulator::Order::kForward);
    INFO("bug " << static_cast<int>(planted.bug) << ", found: " << found);
    CHECK(found.find(planted.what) != std::string::npos);
  }
}

TEST_CASE("after a finding the next launch runs as if nothing had been") {
  for (int i = 0; i < 3; ++i) {
    CHECK(finding(Bug::kDivergentBarrier, false, simt::emulator::Order::kForward) != "");
    CHECK(finding(Bug::kNone, true, simt::emulator::Order::kForward) == "");
  }
}

struct HopperRun {
  std::string finding;
  bool is_right = true;  // the product
};
HopperRun run(HopperBug bug, bool check) {
  const EmulatorOptions options({.check = check});
  std::vector<uint16_t> x(128 * 64);
  for (size_t i = 0; i < x.size(); ++i) x[i] = f32_to_bf16(static_cast<float>(i * 7 % 11) - 5.0f);
  DeviceArray<uint16_t> device(x, "x");
  DeviceArray<float> d(64 * 64, "d");
  simt::emulator::TensorMap map;
  map.base = device.get();
  map.element_bytes = 2;
  map.rank = 2;
  map.sizes[0] = 64;
  map.sizes[1] = 128;
  map.strides[0] = 128;
  map.box[0] = map.box[1] = 64;
  map.element_strides[0] = map.element_strides[1] = 1;
  map.swizzle_128 = true;
  HopperRun result;
  try {
    emu::run_hopper_bug(bug, map, d.get(), {});
  } catch (const DeviceError& error) {
    result.finding = error.what();
  }
  const std::vector<float> got = d.values();
  for (int i = 0; i < 64; ++i) {
    for (int j = 0; j < 64; ++j) {
      double sum = 0;
      for (int k = 0; k < 64; ++k) {
        sum += double{bf16_to_f32(x[i * 64 + k])} * bf16_to_f32(x[(64 + j) * 64 + k]);
      }
      // Small integers: the sums are exact.
      if (!(got[static_cast<size_t>(i * 64 + j)] == sum)) result.is_right = false;
    }
  }
  return result;
}

TEST_CASE("mistakes with mbarriers, TMA and wgmma are found") {
  struct Case {
    HopperBug bug;
    const char* what;    // a part of the finding
    bool needs_checker;  // without it the result is wrong
  };
  const Case cases[] = {
      {HopperBug::kMbarrierNotInitialised, "was not initialised", false},
      {HopperBug::kReadBeforeWait, "in flight", true},
      {HopperBug::kWrongParity, "in flight", true},
      {HopperBug::kExpectTooFew, "deadlock: ", false},
      {HopperBug::kExpectTooMany, "deadlock: ", false},
      {HopperBug::kTooManyArrivals, "more arrivals than its 1", false},
      {HopperBug::kMisalignedDestination, "must be aligned to 1024 bytes", false},
      {HopperBug::kMisalignedColumn, "no multiple of 16 bytes", false},
      {HopperBug::kDestinationOutside, "out of bounds", false},
      {HopperBug::kNoFence, "no wgmma_fence()", false},
      {HopperBug::kNeverWaited, "never waited for", false},
      {HopperBug::kOverwrittenWhileRead, "which the unfinished wgmma at", false},
      {HopperBug::kDifferentDescriptors, "different operands", false},
      {HopperBug::kPartOfWarpGroup, "wait in wgmma", false},
      {HopperBug::kOperandOutside, "out of bounds", false},
      {HopperBug::kWrongMap, "a 4-D tile load of a map of rank 2", false},
  };
  const HopperRun correct = run(HopperBug::kNone, true);
  CHECK(correct.finding == "");
  CHECK(correct.is_right);
  // Not an error the emulator can name, but the numbers are NaN.
  CHECK_FALSE(run(HopperBug::kAccumulatorsBeforeWait, false).is_right);
  for (const Case& c : cases) {
    const HopperRun plain = run(c.bug, false);
    INFO("bug " << static_cast<int>(c.bug) << ", found: " << plain.finding);
    if (!c.needs_checker) {
      CHECK(plain.finding.find(c.what) != std::string::npos);
      continue;
    }
    CHECK_FALSE(plain.is_right);
    const HopperRun checked = run(c.bug, true);
    INFO("checked: " << checked.finding);
    CHECK(checked.finding.find(c.what) != std::string::npos);
  }
}

}  // namespace
}  // namespace ebb
