#include "kernels/conv/cuda/conv_moments.h"
#include "kernels/conv/cuda/tap_map.h"

// Forward and backward input of 16-bit types on Hopper (sm_90a): a block makes 64 rows (grid
// points) for each of its kGroups warpgroups, by kBN channels. One thread of a last warp has the
// tensor memory accelerator fill a pipeline of stages. A step is 64 channels of one tap: the
// accelerator's im2col mode finds the pixels a tap reads, runs across rows and images, and loads
// zeros from outside. Blocks are small enough for several on an SM: while one waits for its first
// copies or writes its tile, others multiply.
namespace ebb::EBB_GPU_NAMESPACE {
namespace {

constexpr int kStep = 64, kGroupRows = 64, kThreadsOfGroup = 128, kStages = 3;
constexpr int kSlice = 16;  // channels of one wgmma

template <class T_, int kGroups_, int kBN_, int kBlocksPerSm_>
struct TileConfig {
  using T = T_;
  static constexpr int kGroups = kGroups_, kBN = kBN_, kBlocksPerSm = kBlocksPerSm_;
  static constexpr int kBM = kGroups * kGroupRows, kConsumers = kGroups * kThreadsOfGroup;
  static constexpr int kThreads = kConsumers + 32;
};

template <class S>
struct Pipeline {
  struct Stage {
    typename S::T a[S::kBM * kStep];
    typename S::T b[S::kBN * kStep];
  };
  Stage stage[kStages];
  uint64_t full[kStages], empty[kStages];
};

// A map of the input for each phase.
struct PhaseMaps {
  simt::TensorMap map[kMaxWgmmaPhases];
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

template <class S>
SIMT_DEVICE void load_stages(Pipeline<S>& pipeline, const simt::TensorMap& input,
                             const simt::TensorMap& weights,
                             const ConvPassArgs<typename S::T>& args, const Phase32& phase,
                             int steps, int channels, int row0, int column0) {
  const int image = row0 / phase.points, point = row0 % phase.points;
  const int y = point / phase.x.grid * phase.y.in_step + phase.y.in_first;
  const int x = point % phase.x.grid * phase.x.in_step + phase.x.in_first;
  TapIterator iterator;
  for (int step = 0; step < steps; ++step) {
    const int at = step % kStages, round = step / kStages;
    // The first round finds empty stages: it waits for the phase before the first.
    simt::mbarrier_wait(&pipeline.empty[at], static_cast<uint32_t>(round + 1) & 1);
    simt::mbarrier_arrive_expect(&pipeline.full[at], sizeof(typename Pipeline<S>::Stage));
    simt::tma_load_im2col(pipeline.stage[at].a, &input, &pipeline.full[at], iterator.channel, x, y,
                          image, static_cast<uint16_t>(iterator.x),
                          static_cast<uint16_t>(iterator.y));
    const int position = iterator.position(phase, static_cast<int>(args.list.kw));
    simt::tma_load_2d(pipeline.stage[at].b, &weights, &pipeline.full[at],
                      position * args.channels_packed + iterator.channel, column0);
    iterator.advance(kStep, channels, phase.x.taps);
  }
}

template <class S>
__global__ void __launch_bounds__(S::kThreads, S::kBlocksPerSm)
    conv_wgmma_kernel(const __grid_constant__ PhaseMaps inputs,
                      const __grid_constant__ simt::TensorMap weights,
                      ConvPassArgs<typename S::T> args, bool vectorized_output) {
  using T = typename S::T;
  SIMT_DYNAMIC_SHARED(Pipeline<S>, pipeline);
  const int thread = static_cast<int>(threadIdx.x), group = thread / kThreadsOfGroup;
  const int phase_number = static_cast<int>(blockIdx.z);
  const int row0 = static_cast<int>(blockIdx.x) * S::kBM;
  const int column0 = static_cast<int>(blockIdx.y) * S::kBN;
  const Phase32 phase = phase_of(args.list, phase_number);
  if (row0 >= phase.rows()) return;  // the whole block: phases differ in size
  // Per tap, rounded up to whole steps. TMA fills the missing channels with zeros.
  const int channels = (static_cast<int>(args.list.in.c) + kStep - 1) / kStep * kStep;
  const int steps = phase.taps() * (channels / kStep);
  if (thread == 0) {
    for (int i = 0; i < kStages; ++i) {
      simt::mbarrier_init(&pipeline->full[i], 1);
      simt::mbarrier_init(&pipeline->empty[i], S::kGroups);
    }
    simt::mbarrier_fence_init();
  }
  __syncthreads();
  if (group == S::kGroups) {
    if (thread == S::kConsumers) {
      load_stages(*pipeline, inputs.map[phase_number], weights, args, phase, steps, channels, row0,
                  column0);
    }
    return;
  }
  const bool is_elected = thread % kThreadsOfGroup == 0;  // for its group
  float sum[S::kBN / 2];
#pragma unroll
  for (int i = 0; i < S::kBN / 2; ++i) sum[i] = 0;
  for (int step = 0; step < steps; ++step) {
    const int at = step % kStages, round = step / kStages;
    simt::mbarrier_wait(&pipeline->full[at], static_cast<uint32_t>(round) & 1);
    const T* a = pipeline->stage[at].a + group * kGroupRows * kStep;
    const T* b = pipeline->stage[at].b;
    simt::wgmma_fence();
#pragma unroll
    for (int k = 0; k < kStep; k += kSlice) {
      multiply(sum, simt::matrix_descriptor(simt::shared_address(a + k)),
               simt::matrix_descriptor(simt::shared_address(b + k)), T{});
    }
    simt::wgmma_commit();
    // The products of the step before are done.
    simt::wgmma_wait<1>();
    if (is_elected && step > 0) simt::mbarrier_arrive(&pipeline->empty[(step - 1) % kStages]);
  }
  simt::wgmma_wait<0>();
  // All groups leave the pipeline and no copy is under way: the sums take its place.
  auto& sums = *reinterpret_cast<SumTile<S::kBM, S::kBN>*>(pipeline->stage);
  static_assert(sizeof(sums) <= sizeof(pipeline->stage));
  const auto join_groups = [] { simt::named_barrier_sync(1, S::kConsumers); };
  join_groups();
  const int lane = thread % 32, warp = thread % kThreadsOfGroup / 32;
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    const int row = group * kGroupRows + warp * 16 + half * 8 + lane / 4;
#pragma unroll
    for (int j = 0; j < S::kBN / 8; ++j) {
      store_pack<2>(&sums.v[row][j * 8 + lane % 4 * 2],
                    Pack<float, 2>{{sum[j * 4 + half * 2], sum[j * 4 + half * 2 + 1]}});
    }
  }
  join_groups();
  epilogue_tile<S::kConsumers>(args, phase, row0, column0, thread, vectorized_output, sums);
  write_moments<S::kConsumers>(args, phase, phase_number, row0, column0, thread, sums, join_groups);
}

template <class S>
void run(const ConvPassArgs<typename S::T>& args, KernelStream stream) {
  using T = typename S::T;
  const TapList& list = args.list;
  const int64_t depth = list.kh * list.kw * args.channels_packed;
  PhaseMaps inputs{};
  for (int64_t p = 0; p < list.phases(); ++p) {
    const TapPhase phase = list.phase(p);
    if (list.n * phase.pixels() == 0) continue;
    inputs.map[p] = tap_map(args.in, list, phase, kStep, S::kBM);
  }
  simt::launch(
      {.name = "conv_wgmma",
       .grid = dim3(static_cast<unsigned>(ceil_div(max_rows(list), S::kBM)),
                    static_cast<unsigned>(ceil_div(list.out.c, S::kBN)),
                    static_cast<unsigned>(list.phases())),
       .block = dim3(S::kThreads),
       .shared_bytes = sizeof(Pipeline<S>),
       .stream = stream},
      conv_wgmma_kernel<S>, inputs,
      simt::tensor_map_2d(args.packed, kMapElement<T>, depth, list.out.c, depth, kStep, S::kBN),
      args, output_packs_fit(args));
}

}  // namespace

template <class T>
void conv_wgmma(const ConvPassArgs<T>& args, KernelStream stream) {
  using Large = TileConfig<T, 2, 128, 2>;
  using Medium = TileConfig<T, 2, 64, 3>;
  using Small = TileConfig<T, 1, 64, 4>;
  const bool full_pairs = ceil_div(args.list.out.c, 64) % 2 == 0;
  if (full_pairs && fills_gpu(tile_blocks<Large>(args.list), stream.device)) {
    run<Large>(args, stream);
  } else if (fills_gpu(tile_blocks<Medium>(args.list), stream.device)) {
    run<Medium>(args, stream);
  } else {
    run<Small>(args, stream);
  }
}
template void conv_wgmma(const ConvPassArgs<__nv_bfloat16>&, KernelStream);
template void conv_wgmma(const ConvPassArgs<__half>&, KernelStream);

}  // namespace ebb::EBB_GPU_NAMESPACE
