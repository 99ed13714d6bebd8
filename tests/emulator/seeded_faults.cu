#include <utility>

#include "kernels/simt/simt.h"
#include "tests/emulator/seeded_faults.h"

namespace ebb::EBB_GPU_NAMESPACE {
namespace {

template <Fault kFault>
__global__ void __launch_bounds__(64) mutant_kernel(float* all, int n, uint32_t* counter) {
  SIMT_DYNAMIC_SHARED(float, s);  // 64 floats
  const int t = static_cast<int>(threadIdx.x);
  float* buf = all + blockIdx.x * 64;
  const float v = static_cast<float>(t);
  if constexpr (kFault == Fault::kNone || kFault == Fault::kNoneTwoKernels) {
    s[t] = v;
    __syncthreads();
    buf[t] = s[63 - t];
  } else if constexpr (kFault == Fault::kNoneNamedBarrier) {
    if (t < 32) {
      s[t] = v;
      simt::named_barrier_sync(1, 32);
      buf[t] = s[31 - t];
    } else {
      buf[t] = 0;
    }
  } else if constexpr (kFault == Fault::kNoneSyncWarp) {
    s[t] = v;
    __syncwarp();
    const float other = s[t ^ 1];
    __syncwarp();
    s[t] = other;
    buf[t] = other;
  } else if constexpr (kFault == Fault::kMissingBarrier) {
    s[t] = v;
    buf[t] = s[63 - t];
  } else if constexpr (kFault == Fault::kDynamicSharedOverrun) {
    s[t + 1] = v;
    __syncthreads();
    buf[t] = s[t + 1];
  } else if constexpr (kFault == Fault::kStaticSharedOverrun) {
    SIMT_SHARED(float, a, [32]);
    SIMT_SHARED(float, b, [32]);
    if (t < 32) b[t] = 3;
    __syncthreads();
    if (t <= 32) a[t] = 1;
    __syncthreads();
    buf[t] = a[t & 31] + b[t & 31];
  } else if constexpr (kFault == Fault::kDivergentBarrier) {
    if (t < 32) {
      s[t] = 1;
      __syncthreads();
    } else {
      s[t] = 2;
      __syncthreads();
    }
    buf[t] = s[63 - t];
  } else if constexpr (kFault == Fault::kBarrierNotReachedByAll) {
    if (t < 40) {
      s[t] = 1;
      __syncthreads();
      buf[t] = s[0];
    }
  } else if constexpr (kFault == Fault::kReturnBeforeBarrier) {
    if (t >= 40) return;
    s[t] = 1;
    __syncthreads();
    buf[t] = s[0];
  } else if constexpr (kFault == Fault::kWriteAfterReadInWarp) {
    s[t] = v;
    __syncwarp();
    const float other = s[t ^ 1];
    s[t] = other;
    buf[t] = other;
  } else if constexpr (kFault == Fault::kShuffleAsBarrier) {
    s[t] = v;
    buf[t] = __shfl_xor_sync(0xffffffffu, s[t ^ 1], 1);
  } else if constexpr (kFault == Fault::kShuffleNamesAbsentLanes) {
    if (t % 32 < 16) buf[t] = __shfl_xor_sync(0xffffffffu, v, 1);
  } else if constexpr (kFault == Fault::kShuffleFromOutsideMask) {
    if (t % 32 < 16) buf[t] = __shfl_sync(0xffffu, v, 20);
  } else if constexpr (kFault == Fault::kDivergentMma) {
    float d[4] = {0, 0, 0, 0};
    const uint32_t a[4] = {0, 0, 0, 0}, b[2] = {0, 0};
    if (t % 2 == 0) {
      simt::mma_m16n8k16_bf16(d, a, b);
    } else {
      simt::mma_m16n8k16_bf16(d, a, b);
    }
    buf[t] = d[0];
  } else if constexpr (kFault == Fault::kBlocksOverlap) {
    all[t + blockIdx.x * 32] = v;
  } else if constexpr (kFault == Fault::kReadOfOtherBlock) {
    buf[t] = v;
    __threadfence();
    if (blockIdx.x == 1) buf[t] = all[t];
  } else if constexpr (kFault == Fault::kUninitializedShared) {
    if (t == 0) s[0] = 1;
    __syncthreads();
    buf[t] = s[0] + s[5];
  } else if constexpr (kFault == Fault::kUninitializedGlobal) {
    buf[t] = all[n + t];
  } else if constexpr (kFault == Fault::kGlobalOverrun) {
    if (t == 0) all[n + 64] = 1;
  } else if constexpr (kFault == Fault::kGlobalUnderrun) {
    if (t == 0) all[-1] = 1;
  } else if constexpr (kFault == Fault::kMisaligned) {
    if (t == 0) *reinterpret_cast<float2*>(buf + 1) = make_float2(1, 2);
  } else if constexpr (kFault == Fault::kCopyNotWaitedFor) {
    if (t < 16) simt::cp_async(s + 4 * t, buf + 4 * t);
    simt::cp_async_commit();
    __syncthreads();
    buf[t] = s[t] + 1;
  } else if constexpr (kFault == Fault::kCopyWaitedForTooLate) {
    if (t < 16) simt::cp_async(s + 4 * t, buf + 4 * t);
    simt::cp_async_commit();
    simt::cp_async_wait<1>();  // this group may still be in flight
    __syncthreads();
    buf[t] = s[t] + 1;
  } else if constexpr (kFault == Fault::kCopyWithoutBarrier) {
    if (t < 16) simt::cp_async(s + 4 * t, buf + 4 * t);
    simt::cp_async_commit();
    simt::cp_async_wait<0>();
    const float other = s[t];  // another thread's copy
    __syncthreads();
    buf[t] = other;
  } else if constexpr (kFault == Fault::kStoreAgainstAtomic) {
    atomicAdd(reinterpret_cast<int*>(buf), 1);
    if (t == 5) buf[0] = 3;
  } else if constexpr (kFault == Fault::kReadThenWriteWithoutBarrier) {
    s[t] = v;
    __syncthreads();
    const float sum = s[(t + 1) & 63] + s[t];
    s[t] = sum;
    __syncthreads();
    buf[t] = s[t];
  } else if constexpr (kFault == Fault::kNamedBarrierTooMany) {
    if (t < 32) simt::named_barrier_sync(1, 64);
    buf[t] = v;
  } else if constexpr (kFault == Fault::kNamedBarrierOfWrongWarps) {
    s[t] = 0;
    __syncthreads();
    s[t] = v;
    simt::named_barrier_sync(1 + t / 32, 32);  // orders each warp for itself
    buf[t] = s[63 - t];
  } else if constexpr (kFault == Fault::kLastBlockWithoutRelease) {
    buf[t] = v;
    __syncthreads();
    SIMT_SHARED(bool, last, );
    if (t == 0) last = atomicAdd(counter, 1u) == gridDim.x - 1;
    __syncthreads();
    if (last && t == 0) all[0] = all[64] + all[1];
  } else if constexpr (kFault == Fault::kBytesOfOneWord) {
    // Correct: neighbors of one word are not the same memory.
    auto* bytes = reinterpret_cast<uint8_t*>(s);
    bytes[t] = static_cast<uint8_t>(t);
    buf[t] = bytes[t];
  } else if constexpr (kFault == Fault::kTooManySharedBytes) {
    SIMT_SHARED(float, large, [13 << 10]);
    large[t] = v;
    buf[t] = v;
  } else if constexpr (kFault == Fault::kTooManyBesideDynamic) {
    SIMT_SHARED(float, large, [5 << 10]);
    large[t] = v;
    buf[t] = v;
  } else if constexpr (kFault == Fault::kIntegerOverflow) {
    const int at = (t - (1 << 30)) * n;
    buf[t] = static_cast<float>(at);
  }
}

template <int... kFaults>
void pick(Fault fault, float* buf, int n, uint32_t* counter, KernelStream stream,
          std::integer_sequence<int, kFaults...>) {
  const simt::LaunchConfig config{
      .name = "bug", .grid = dim3(2), .block = dim3(64), .shared_bytes = 256, .stream = stream};
  ((fault == static_cast<Fault>(kFaults)
        ? simt::launch(config, mutant_kernel<static_cast<Fault>(kFaults)>, buf, n, counter)
        : void()),
   ...);
}

}  // namespace

void run_fault(Fault fault, float* buf, int n, uint32_t* counter, KernelStream stream) {
  constexpr int kCount = static_cast<int>(Fault::kCount);
  pick(fault, buf, n, counter, stream, std::make_integer_sequence<int, kCount>());
}

}  // namespace ebb::EBB_GPU_NAMESPACE
