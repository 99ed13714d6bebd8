#include "kernels/cuda/conv_moments.h"
#include "kernels/cuda/tap_map.h"

// Forward and backward input of 16-bit types on Hopper (sm_90a): a block makes 128 rows (grid
// points) by kBN channels. One thread has the tensor memory accelerator fill a ring of kStages
// stages; two warpgroups multiply. A step is 64 channels of one tap: the accelerator's im2col mode
// finds the pixels a tap reads, runs across rows and images, and brings zeros from outside.
namespace ebb::EBB_GPU_NAMESPACE {
namespace {

constexpr int kBM = 128, kStep = 64, kGroups = 2, kThreadsOfGroup = 128;
constexpr int kBlockThreads = (1 + kGroups) * kThreadsOfGroup;
constexpr int kGroupRows = kBM / kGroups;
constexpr int kSlice = 16;  // channels of one wgmma

template <class T, int kBN>
struct Ring {
  static constexpr int kStages = kBN <= 64 ? 6 : 4;
  struct Stage {
    T a[kBM * kStep];
    T b[kBN * kStep];
  };
  Stage stage[kStages];
  uint64_t full[kStages], empty[kStages];
};

SIMT_DEVICE void multiply(float (&d)[32], uint64_t a, uint64_t b, __nv_bfloat16) {
  simt::wgmma_bf16<64>(d, a, b, true);
}
SIMT_DEVICE void multiply(float (&d)[32], uint64_t a, uint64_t b, __half) {
  simt::wgmma_f16<64>(d, a, b, true);
}
SIMT_DEVICE void multiply(float (&d)[64], uint64_t a, uint64_t b, __nv_bfloat16) {
  simt::wgmma_bf16<128>(d, a, b, true);
}
SIMT_DEVICE void multiply(float (&d)[64], uint64_t a, uint64_t b, __half) {
  simt::wgmma_f16<128>(d, a, b, true);
}

// What one step multiplies.
struct Steps {
  int taps, chunks;  // of kStep channels

  SIMT_DEVICE int count() const { return taps * chunks; }
};

template <class T, int kBN>
SIMT_DEVICE void produce(Ring<T, kBN>& ring, const simt::TensorMap& input,
                         const simt::TensorMap& weights, const ConvPassArgs<T>& args,
                         const Phase32& phase, const Steps& steps, int row0, int column0) {
  using R = Ring<T, kBN>;
  const int image = row0 / phase.points, point = row0 % phase.points;
  const int y = point / phase.x.grid * phase.y.in_step + phase.y.in_first;
  const int x = point % phase.x.grid * phase.x.in_step + phase.x.in_first;
  for (int step = 0; step < steps.count(); ++step) {
    const int at = step % R::kStages, round = step / R::kStages;
    // The first round finds empty stages: it waits for the phase before the first.
    simt::mbarrier_wait(&ring.empty[at], static_cast<uint32_t>(round + 1) & 1);
    simt::mbarrier_arrive_expect(&ring.full[at], sizeof(typename R::Stage));
    const int tap = step / steps.chunks, channel = step % steps.chunks * kStep;
    simt::tma_load_im2col(ring.stage[at].a, &input, &ring.full[at], channel, x, y, image,
                          static_cast<uint16_t>(tap % phase.x.taps),
                          static_cast<uint16_t>(tap / phase.x.taps));
    const int position = phase.position(tap, static_cast<int>(args.list.kw));
    simt::tma_load_2d(ring.stage[at].b, &weights, &ring.full[at],
                      position * args.channels_packed + channel, column0);
  }
}

template <class T, int kBN>
__global__ void __launch_bounds__(kBlockThreads, 1)
    conv_wgmma_kernel(const __grid_constant__ simt::TensorMap input,
                      const __grid_constant__ simt::TensorMap weights, ConvPassArgs<T> args,
                      int phase_number, bool wide_output) {
  using R = Ring<T, kBN>;
  SIMT_DYNAMIC_SHARED(R, ring);
  const int thread = static_cast<int>(threadIdx.x), group = thread / kThreadsOfGroup - 1;
  const int row0 = static_cast<int>(blockIdx.x) * kBM, column0 = static_cast<int>(blockIdx.y) * kBN;
  const Phase32 phase = phase_of(args.list, phase_number);
  const Steps steps{phase.taps(), (static_cast<int>(args.list.in.c) + kStep - 1) / kStep};
  if (thread == 0) {
    for (int i = 0; i < R::kStages; ++i) {
      simt::mbarrier_init(&ring->full[i], 1);
      simt::mbarrier_init(&ring->empty[i], kGroups);
    }
    simt::mbarrier_fence_init();
  }
  __syncthreads();
  if (group < 0) {
    simt::give_registers<40>();
    if (thread == 0) produce(*ring, input, weights, args, phase, steps, row0, column0);
    return;
  }
  simt::take_registers<232>();
  float sum[kBN / 2];
#pragma unroll
  for (int i = 0; i < kBN / 2; ++i) sum[i] = 0;
  for (int step = 0; step < steps.count(); ++step) {
    const int at = step % R::kStages, round = step / R::kStages;
    simt::mbarrier_wait(&ring->full[at], static_cast<uint32_t>(round) & 1);
    const T* a = ring->stage[at].a + group * kGroupRows * kStep;
    const T* b = ring->stage[at].b;
    simt::wgmma_fence();
#pragma unroll
    for (int k = 0; k < kStep; k += kSlice) {
      multiply(sum, simt::matrix_descriptor(simt::shared_address(a + k)),
               simt::matrix_descriptor(simt::shared_address(b + k)), T{});
    }
    simt::wgmma_commit();
    simt::wgmma_wait<0>();
    if (thread % kThreadsOfGroup == 0) simt::mbarrier_arrive(&ring->empty[at]);
  }
  // Both groups have left the ring and no copy is under way: the sums take its place.
  constexpr int kConsumers = kGroups * kThreadsOfGroup;
  auto& sums = *reinterpret_cast<SumTile<kBM, kBN>*>(ring->stage);
  static_assert(sizeof(sums) <= sizeof(ring->stage));
  const auto join_groups = [] { simt::named_barrier_sync(1, kConsumers); };
  join_groups();
  const int lane = thread % 32, warp = thread % kThreadsOfGroup / 32;
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    const int row = group * kGroupRows + warp * 16 + half * 8 + lane / 4;
#pragma unroll
    for (int j = 0; j < kBN / 8; ++j) {
      store_pack<2>(&sums.v[row][j * 8 + lane % 4 * 2],
                    Pack<float, 2>{{sum[j * 4 + half * 2], sum[j * 4 + half * 2 + 1]}});
    }
  }
  join_groups();
  const int consumer = thread - kThreadsOfGroup;
  finish_tile<kConsumers>(args, phase, row0, column0, consumer, wide_output, sums);
  write_moments<kConsumers>(args, phase, phase_number, row0, column0, consumer, sums, join_groups);
}

template <int kBN, class T>
void run(const ConvPassArgs<T>& args, StreamHandle stream) {
  const TapList& list = args.list;
  const int64_t depth = list.kh * list.kw * args.channels_packed;
  const simt::TensorMap weights =
      simt::tensor_map_2d(args.packed, kMapElement<T>, depth, list.out.c, depth, kStep, kBN);
  for (int64_t p = 0; p < list.phases(); ++p) {
    const TapPhase phase = list.phase(p);
    const int64_t rows = list.n * phase.pixels();
    if (rows == 0) continue;
    simt::launch({.name = "conv_wgmma",
                  .grid = dim3(static_cast<unsigned>(ceil_div(rows, kBM)),
                               static_cast<unsigned>(ceil_div(list.out.c, kBN))),
                  .block = dim3(kBlockThreads),
                  .shared_bytes = sizeof(Ring<T, kBN>),
                  .stream = stream},
                 conv_wgmma_kernel<T, kBN>, tap_map(args.in, list, phase, kStep, kBM), weights,
                 args, static_cast<int>(p), output_packs_fit(args));
  }
}

}  // namespace

template <class T>
void conv_wgmma(const ConvPassArgs<T>& args, StreamHandle stream) {
  if (ceil_div(args.list.out.c, 64) % 2 != 0) {
    run<64>(args, stream);
  } else {
    run<128>(args, stream);
  }
}
template void conv_wgmma(const ConvPassArgs<__nv_bfloat16>&, StreamHandle);
template void conv_wgmma(const ConvPassArgs<__half>&, StreamHandle);

}  // namespace ebb::EBB_GPU_NAMESPACE
