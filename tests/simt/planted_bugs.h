#pragma once

#include <cstdint>

#include "kernels/simt.h"
#include "kernels/simt/emulator.h"

// Small kernels with one mistake each, beside correct ones of the same kind. Two blocks of 64
// threads; buf holds 128 floats. Which finding each must cause is in planted_bugs_test.cc.
namespace ebb::EBB_GPU_NAMESPACE {

enum class Bug {
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
  kUninitialisedShared,
  kUninitialisedGlobal,
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
  kCount
};
void run_bug(Bug bug, float* buf, int n, uint32_t* counter, StreamHandle stream);

// One block: a producer warp loads two tiles of a [128, 64] bf16 map, a warpgroup multiplies them.
enum class HopperBug {
  kNone,
  kMbarrierNotInitialised,
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
void run_hopper_bug(HopperBug bug, const simt::TensorMap& map, float* d, StreamHandle stream);

}  // namespace ebb::EBB_GPU_NAMESPACE
