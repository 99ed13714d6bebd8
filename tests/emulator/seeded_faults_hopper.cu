#include <utility>

#include "kernels/simt/simt.h"
#include "tests/emulator/seeded_faults.h"

namespace ebb::EBB_GPU_NAMESPACE {
namespace {

constexpr int kTile = 64 * 64;  // 64 rows of 64 bf16: 8 KiB
constexpr uint32_t kTileBytes = kTile * 2;

struct Shared {
  __nv_bfloat16 a[kTile], b[kTile];
  uint64_t full, spare;
};

// d[64, 64] = a * b^T of the first and the second 64 rows of the map.
template <HopperFault kFault>
__global__ void __launch_bounds__(160)
    mutant_kernel(const __grid_constant__ simt::TensorMap map, float* d) {
  SIMT_DYNAMIC_SHARED(Shared, s);
  const int t = static_cast<int>(threadIdx.x);
  if (t == 0 && kFault != HopperFault::kMbarrierNotInitialized) {
    simt::mbarrier_init(&s->full, 1);
    simt::mbarrier_init(&s->spare, 1);
    simt::mbarrier_fence_init();
  }
  __syncthreads();
  if (t == 128) {  // the producer
    uint32_t bytes = 2 * kTileBytes;
    if (kFault == HopperFault::kExpectTooFew) bytes -= 128;
    if (kFault == HopperFault::kExpectTooMany) bytes += 128;
    simt::mbarrier_arrive_expect(&s->full, bytes);
    if (kFault == HopperFault::kTooManyArrivals) simt::mbarrier_arrive(&s->full);
    const int shift = kFault == HopperFault::kMisalignedDestination ? 8 : 0;
    const int column = kFault == HopperFault::kMisalignedColumn ? 4 : 0;
    simt::tma_load_2d(s->a + shift, &map, &s->full, column, 0);
    if (kFault == HopperFault::kWrongMap) {
      simt::tma_load_4d(s->b, &map, &s->full, 0, 64, 0, 0);
    } else if (kFault == HopperFault::kDestinationOutside) {
      simt::tma_load_2d(s->b + kTile, &map, &s->full, 0, 64);
    } else {
      simt::tma_load_2d(s->b, &map, &s->full, 0, 64);
    }
    if (kFault == HopperFault::kOverwrittenWhileRead) {
      // As soon as the tiles have come, perhaps before the products are done.
      simt::mbarrier_wait(&s->full, 0);
      simt::named_barrier_sync(1, 160);
      simt::mbarrier_arrive_expect(&s->spare, kTileBytes);
      simt::tma_load_2d(s->a, &map, &s->spare, 0, 64);
    }
  } else if (t > 128) {
    if (kFault == HopperFault::kOverwrittenWhileRead) simt::named_barrier_sync(1, 160);
  } else {
    if (kFault != HopperFault::kReadBeforeWait) {
      simt::mbarrier_wait(&s->full, kFault == HopperFault::kWrongParity ? 1 : 0);
    }
    float acc[32] = {};
    if (kFault != HopperFault::kNoFence) simt::wgmma_fence();
    if (kFault == HopperFault::kPartOfWarpGroup && t >= 96) return;
#pragma unroll
    for (int k = 0; k < 4; ++k) {
      const int step = kFault == HopperFault::kDifferentDescriptors && t == 77 ? 0 : 16 * k;
      const int far = kFault == HopperFault::kOperandOutside ? kTile : 0;
      simt::wgmma_bf16<64>(acc, simt::matrix_descriptor(simt::shared_address(s->a + step)),
                           simt::matrix_descriptor(simt::shared_address(s->b + far + step)), true);
    }
    simt::wgmma_commit();
    if (kFault == HopperFault::kOverwrittenWhileRead) simt::named_barrier_sync(1, 160);
    if (kFault == HopperFault::kAccumulatorsBeforeWait) simt::wgmma_wait<1>();
    if (kFault != HopperFault::kAccumulatorsBeforeWait && kFault != HopperFault::kNeverWaited) {
      simt::wgmma_wait<0>();
    }
#pragma unroll
    for (int i = 0; i < 32; ++i) {
      const int row = t / 32 * 16 + t % 32 / 4 + i / 2 % 2 * 8;
      d[row * 64 + i / 4 * 8 + t % 4 * 2 + i % 2] = acc[i];
    }
    if (kFault == HopperFault::kAccumulatorsBeforeWait) simt::wgmma_wait<0>();
  }
}

template <int... kFaults>
void pick(HopperFault fault, const simt::TensorMap& map, float* d, KernelStream stream,
          std::integer_sequence<int, kFaults...>) {
  const simt::LaunchConfig config{.name = "hopper_bug",
                                  .grid = dim3(1),
                                  .block = dim3(160),
                                  .shared_bytes = sizeof(Shared),
                                  .stream = stream};
  ((fault == static_cast<HopperFault>(kFaults)
        ? simt::launch(config, mutant_kernel<static_cast<HopperFault>(kFaults)>, map, d)
        : void()),
   ...);
}

}  // namespace

void run_hopper_fault(HopperFault fault, const simt::TensorMap& map, float* d,
                      KernelStream stream) {
  constexpr int kCount = static_cast<int>(HopperFault::kCount);
  pick(fault, map, d, stream, std::make_integer_sequence<int, kCount>());
}

}  // namespace ebb::EBB_GPU_NAMESPACE
