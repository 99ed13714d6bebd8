#pragma once

#include <cstdint>

#include "kernels/simt/emulator.h"
#include "kernels/simt/simt.h"

// Small kernels with one mistake each, beside correct ones of the same kind. Two blocks of 64
// threads; buf holds 128 floats. Which finding each must cause is in seeded_faults_test.cc.
namespace ebb::EBB_GPU_NAMESPACE {

enum class Fault {
  kNone,
  kNoneNamedBarrier,
  kNoneSyncWarp,
  kNoneTwoKernels,
  kMissingBarrier,
  kDynamicSharedOverrun,
  kStaticSharedOverrun,
  kDivergentBarrier,
  kBarrierNotReachedByAll,
  kReturnBeforeBarrier,
  kWriteAfterReadInWarp,
  kShuffleAsBarrier,
  kShuffleNamesAbsentLanes,
  kShuffleFromOutsideMask,
  kDivergentMma,
  kBlocksOverlap,
  kReadOfOtherBlock,
  kUninitializedShared,
  kUninitializedGlobal,
  kGlobalOverrun,
  kGlobalUnderrun,
  kMisaligned,
  kCopyNotWaitedFor,
  kCopyWaitedForTooLate,
  kCopyWithoutBarrier,
  kStoreAgainstAtomic,
  kReadThenWriteWithoutBarrier,
  kNamedBarrierTooMany,
  kNamedBarrierOfWrongWarps,
  kLastBlockWithoutRelease,
  kBytesOfOneWord,
  kTooManySharedBytes,
  kTooManyBesideDynamic,
  kIntegerOverflow,
  kCount
};
void run_fault(Fault fault, float* buf, int n, uint32_t* counter, KernelStream stream);

// One block: a producer warp loads two tiles of a [128, 64] bf16 map, a warpgroup multiplies them.
enum class HopperFault {
  kNone,
  kMbarrierNotInitialized,
  kReadBeforeWait,
  kWrongParity,
  kExpectTooFew,
  kExpectTooMany,
  kTooManyArrivals,
  kMisalignedDestination,
  kMisalignedColumn,
  kDestinationOutside,
  kNoFence,
  kAccumulatorsBeforeWait,
  kNeverWaited,
  kOverwrittenWhileRead,
  kDifferentDescriptors,
  kPartOfWarpGroup,
  kOperandOutside,
  kWrongMap,
  kCount
};
void run_hopper_fault(HopperFault fault, const simt::TensorMap& map, float* d, KernelStream stream);

}  // namespace ebb::EBB_GPU_NAMESPACE
