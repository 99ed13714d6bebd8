#include <utility>

#include "kernels/simt.h"
#include "tests/simt/planted_bugs.h"

namespace ebb::EBB_GPU_NAMESPACE {
namespace {

constexpr int kTile = 64 * 64;  // 64 rows of 64 bf16: 8 KiB
constexpr uint32_t kTileBytes = kTile * 2;

struct Shared {
  __nv_bfloat16 a[kTile], b[kTile];
  uint64_t full, spare;
};

// d[64, 64] = a * b^T of the first and the second 64 rows of the map.
template <HopperBug kBug>
__global__ void __launch_bounds__(160)
    bug_kernel(const __grid_constant__ simt::TensorMap map, float* d) {
  SIMT_DYNAMIC_SHARED(Shared, s);
  const int t = static_cast<int>(threadIdx.x);
  if (t == 0 && kBug != HopperBug::kMbarrierNotInitialised) {
    simt::mbarrier_init(&s->full, 1);
    simt::mbarrier_init(&s->spare, 1);
    simt::mbarrier_fence_init();
  }
  __syncthreads();
  if (t == 128) {  // the producer
    uint32_t bytes = 2 * kTileBytes;
    if (kBug == HopperBug::kExpectTooFew) bytes -= 128;
    if (kBug == HopperBug::kExpectTooMany) bytes += 128;
    simt::mbarrier_arrive_expect(&s->full, bytes);
    if (kBug == HopperBug::kTooManyArrivals) simt::mbarrier_arrive(&s->full);
    const int shift = kBug == HopperBug::kMisalignedDestination ? 8 : 0;
    const int column = kBug == HopperBug::kMisalignedColumn ? 4 : 0;
    simt::tma_load_2d(s->a + shift, &map, &s->full, column, 0);
    if (kBug == HopperBug::kWrongMap) {
      simt::tma_load_4d(s->b, &map, &s->full, 0, 64, 0, 0);
    } else if (kBug == HopperBug::kDestinationOutside) {
      simt::tma_load_2d(s->b + kTile, &map, &s->full, 0, 64);
    } else {
      simt::tma_load_2d(s->b, &map, &s->full, 0, 64);
    }
    if (kBug == HopperBug::kOverwrittenWhileRead) {
      // As soon as the tiles have come, perhaps before the products are done.
      simt::mbarrier_wait(&s->full, 0);
      simt::named_barrier_sync(1, 160);
      simt::mbarrier_arrive_expect(&s->spare, kTileBytes);
      simt::tma_load_2d(s->a, &map, &s->spare, 0, 64);
    }
  } else if (t > 128) {
    if (kBug == HopperBug::kOverwrittenWhileRead) simt::named_barrier_sync(1, 160);
  } else {
    if (kBug != HopperBug::kReadBeforeWait) {
      simt::mbarrier_wait(&s->full, kBug == HopperBug::kWrongParity ? 1 : 0);
    }
    float acc[32] = {};
    if (kBug != HopperBug::kNoFence) simt::wgmma_fence();
    if (kBug == HopperBug::kPartOfWarpGroup && t >= 96) return;
#pragma unroll
    for (int k = 0; k < 4; ++k) {
      const int step = kBug == HopperBug::kDifferentDescriptors && t == 77 ? 0 : 16 * k;
      const int far = kBug == HopperBug::kOperandOutside ? kTile : 0;
      simt::wgmma_bf16<64>(acc, simt::matrix_descriptor(simt::shared_address(s->a + step)),
                           simt::matrix_descriptor(simt::shared_address(s->b + far + step)), true);
    }
    simt::wgmma_commit();
    if (kBug == HopperBug::kOverwrittenWhileRead) simt::named_barrier_sync(1, 160);
    if (kBug == HopperBug::kAccumulatorsBeforeWait) simt::wgmma_wait<1>();
    if (kBug != HopperBug::kAccumulatorsBeforeWait && kBug != HopperBug::kNeverWaited) {
      simt::wgmma_wait<0>();
    }
#pragma unroll
    for (int i = 0; i < 32; ++i) {
      const int row = t / 32 * 16 + t % 32 / 4 + i / 2 % 2 * 8;
      d[row * 64 + i / 4 * 8 + t % 4 * 2 + i % 2] = acc[i];
    }
    if (kBug == HopperBug::kAccumulatorsBeforeWait) simt::wgmma_wait<0>();
  }
}

template <int... kBugs>
void pick(HopperBug bug, const simt::TensorMap& map, float* d, StreamHandle stream,
          std::integer_sequence<int, kBugs...>) {
  const simt::LaunchConfig config{.name = "hopper_bug",
                                  .grid = dim3(1),
                                  .block = dim3(160),
                                  .shared_bytes = sizeof(Shared),
                                  .stream = stream};
  ((bug == static_cast<HopperBug>(kBugs)
        ? simt::launch(config, bug_kernel<static_cast<HopperBug>(kBugs)>, map, d)
        : void()),
   ...);
}

}  // namespace

void run_hopper_bug(HopperBug bug, const simt::TensorMap& map, float* d, StreamHandle stream) {
  constexpr int kCount = static_cast<int>(HopperBug::kCount);
  pick(bug, map, d, stream, std::make_integer_sequence<int, kCount>());
}

}  // namespace ebb::EBB_GPU_NAMESPACE
