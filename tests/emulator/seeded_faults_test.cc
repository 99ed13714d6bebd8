#include "tests/emulator/seeded_faults.h"

#include <cmath>
#include <string>
#include <vector>

#include "base/dtype.h"
#include "base/error.h"
#include "testing/catch.h"
#include "testing/emulated.h"

namespace ebb {
namespace {

using emu::Fault;
using emu::HopperFault;
using test::DeviceArray;
using test::EmulatorOptions;

// The emulator's finding for a seeded fault; empty if there is none.
std::string finding(Fault fault, bool check, simt::emulator::Order order) {
  const EmulatorOptions options({.order = order, .check = check});
  DeviceArray<float> buf(192, "buf");  // the last 64 are never written
  buf.upload(std::vector<float>(128, 1.0f));
  DeviceArray<uint32_t> counter(std::vector<uint32_t>{0}, "counter");
  try {
    emu::run_fault(fault, buf.get(), 128, counter.get(), {});
    if (fault == Fault::kNoneTwoKernels) emu::run_fault(fault, buf.get(), 128, counter.get(), {});
  } catch (const DeviceError& error) {
    return error.what();
  }
  return "";
}

struct SeededFault {
  Fault fault;
  const char* what;      // a part of the finding; null: correct code
  bool without_checker;  // the scheduler alone finds it
};
const SeededFault kSeeded[] = {
    {Fault::kNone, nullptr, false},
    {Fault::kNoneNamedBarrier, nullptr, false},
    {Fault::kNoneSyncWarp, nullptr, false},
    {Fault::kNoneTwoKernels, nullptr, false},
    {Fault::kBytesOfOneWord, nullptr, false},
    {Fault::kMissingBarrier, "uninitialized", false},
    {Fault::kDynamicSharedOverrun, "0 bytes past the end of 'dynamic shared memory' (256 bytes)",
     false},
    {Fault::kStaticSharedOverrun, "0 bytes past the end of 'a' (128 bytes)", false},
    {Fault::kDivergentBarrier, "divergent barrier", true},
    {Fault::kBarrierNotReachedByAll, "__syncthreads()", true},
    {Fault::kReturnBeforeBarrier, "__syncthreads()", true},
    {Fault::kWriteAfterReadInWarp, "data race: ", false},
    {Fault::kShuffleAsBarrier, "uninitialized", false},
    {Fault::kShuffleNamesAbsentLanes, "shuffle of lanes ffffffff", true},
    {Fault::kShuffleFromOutsideMask, "reads lane 20, which is not in the mask ffff", true},
    {Fault::kDivergentMma, "divergent warp", true},
    {Fault::kBlocksOverlap, "of another block", false},
    {Fault::kReadOfOtherBlock, "of another block", false},
    {Fault::kUninitializedShared, "read of uninitialized memory", false},
    {Fault::kUninitializedGlobal, "read of uninitialized memory", false},
    {Fault::kGlobalOverrun, "0 bytes past the end of 'buf' (768 bytes)", false},
    {Fault::kGlobalUnderrun, "bytes before 'buf'", false},
    {Fault::kMisaligned, "misaligned: ", false},
    {Fault::kCopyNotWaitedFor, "in flight", false},
    {Fault::kCopyWaitedForTooLate, "in flight", false},
    {Fault::kCopyWithoutBarrier, "data race: ", false},
    {Fault::kStoreAgainstAtomic, "data race: ", false},
    {Fault::kReadThenWriteWithoutBarrier, "data race: ", false},
    {Fault::kNamedBarrierTooMany, "deadlock: ", true},
    {Fault::kNamedBarrierOfWrongWarps, "data race: ", false},
    {Fault::kLastBlockWithoutRelease, "of another block", false},
    {Fault::kTooManySharedBytes, "static shared memory", true},
    {Fault::kTooManyBesideDynamic, "beside 256 bytes of dynamic to 20480 bytes", true},
    {Fault::kIntegerOverflow, "integer overflow: -1073741824 * 128 at ", true},
};

TEST_CASE("the checker finds every seeded fault, and none in correct kernels") {
  CHECK(std::size(kSeeded) == static_cast<size_t>(Fault::kCount));
  for (const SeededFault& seeded : kSeeded) {
    for (const simt::emulator::Order order : test::kOrders) {
      const std::string found = finding(seeded.fault, true, order);
      INFO("fault " << static_cast<int>(seeded.fault) << ", order " << static_cast<int>(order)
                    << ", found: " << found);
      if (seeded.what == nullptr) {
        CHECK(found == "");
        continue;
      }
      // In another order a race may show from its other side.
      if (order == simt::emulator::Order::kForward) {
        CHECK(found.find(seeded.what) != std::string::npos);
      }
      CHECK(found != "");
      CHECK(found.find("kernel bug, block (") == 0);
    }
  }
}

TEST_CASE("findings name the line of the kernel that did it") {
  for (const SeededFault& seeded : kSeeded) {
    if (seeded.what == nullptr || seeded.fault == Fault::kTooManySharedBytes ||
        seeded.fault == Fault::kTooManyBesideDynamic) {
      continue;
    }
    const std::string found = finding(seeded.fault, true, simt::emulator::Order::kForward);
    INFO(found);
    CHECK(found.find("seeded_faults.cu:") != std::string::npos);
  }
}

TEST_CASE("misused barriers and warp operations are found without the checker") {
  for (const SeededFault& seeded : kSeeded) {
    if (!seeded.without_checker) continue;
    const std::string found = finding(seeded.fault, false, simt::emulator::Order::kForward);
    INFO("fault " << static_cast<int>(seeded.fault) << ", found: " << found);
    CHECK(found.find(seeded.what) != std::string::npos);
  }
}

TEST_CASE("after a finding the next launch runs as if nothing had been") {
  for (int i = 0; i < 3; ++i) {
    CHECK(finding(Fault::kDivergentBarrier, false, simt::emulator::Order::kForward) != "");
    CHECK(finding(Fault::kNone, true, simt::emulator::Order::kForward) == "");
  }
}

struct HopperRun {
  std::string finding;
  bool is_right = true;  // the product
};
HopperRun run(HopperFault fault, bool check) {
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
    emu::run_hopper_fault(fault, map, d.get(), {});
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
    HopperFault fault;
    const char* what;    // a part of the finding
    bool needs_checker;  // without it the result is wrong
  };
  const Case cases[] = {
      {HopperFault::kMbarrierNotInitialized, "was not initialized", false},
      {HopperFault::kReadBeforeWait, "in flight", true},
      {HopperFault::kWrongParity, "in flight", true},
      {HopperFault::kExpectTooFew, "deadlock: ", false},
      {HopperFault::kExpectTooMany, "deadlock: ", false},
      {HopperFault::kTooManyArrivals, "more arrivals than its 1", false},
      {HopperFault::kMisalignedDestination, "must be aligned to 1024 bytes", false},
      {HopperFault::kMisalignedColumn, "no multiple of 16 bytes", false},
      {HopperFault::kDestinationOutside, "out of bounds", false},
      {HopperFault::kNoFence, "no wgmma_fence()", false},
      {HopperFault::kNeverWaited, "never waited for", false},
      {HopperFault::kOverwrittenWhileRead, "which the unfinished wgmma at", false},
      {HopperFault::kDifferentDescriptors, "different operands", false},
      {HopperFault::kPartOfWarpGroup, "wait in wgmma", false},
      {HopperFault::kOperandOutside, "out of bounds", false},
      {HopperFault::kWrongMap, "a 4-D tile load of a map of rank 2", false},
  };
  const HopperRun correct = run(HopperFault::kNone, true);
  CHECK(correct.finding == "");
  CHECK(correct.is_right);
  // Not an error the emulator can name, but the numbers are NaN.
  CHECK_FALSE(run(HopperFault::kAccumulatorsBeforeWait, false).is_right);
  for (const Case& c : cases) {
    const HopperRun plain = run(c.fault, false);
    INFO("fault " << static_cast<int>(c.fault) << ", found: " << plain.finding);
    if (!c.needs_checker) {
      CHECK(plain.finding.find(c.what) != std::string::npos);
      continue;
    }
    CHECK_FALSE(plain.is_right);
    const HopperRun checked = run(c.fault, true);
    INFO("checked: " << checked.finding);
    CHECK(checked.finding.find(c.what) != std::string::npos);
  }
}

}  // namespace
}  // namespace ebb
