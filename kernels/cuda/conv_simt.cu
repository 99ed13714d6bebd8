#include "kernels/cuda/conv_moments.h"
#include "kernels/cuda/conv_tile.h"

// Forward and backward input in f32. A block of 128 threads makes 128 rows (grid points) by kBN
// channels; each step brings kStep columns of A and rows of B into shared memory while the ones
// before are multiplied. Sums run over k in order, whatever the batch.
namespace ebb::EBB_GPU_NAMESPACE {
namespace {

constexpr int kBM = 128, kStep = 8, kBlockThreads = 128;
constexpr int kPad = 4;  // keeps rows 16-byte aligned and spreads them over the banks

template <int kBN>
struct Stage {
  float a[kStep][kBM + kPad];
  float b[kStep][kBN + kPad];
};

// What a thread loads of one step: its row of A, and its share of B.
template <int kBN>
struct Loaded {
  static constexpr int kOfB = kBN * kStep / kBlockThreads;  // neighbours along k
  float a[kStep];
  float b[kOfB];
};

struct Loader {
  const ConvPassArgs<float>& args;
  const Phase32& phase;
  int thread, column0, depth;
  InputPoint point;

  // kWide: channels come in aligned groups of four.
  template <int kBN, bool kWide>
  SIMT_DEVICE void load(int k0, Loaded<kBN>& to) const {
    constexpr int kGroup = kWide ? 4 : 1;
    const TapList& list = args.list;
    const int channels = static_cast<int>(list.in.c);
#pragma unroll
    for (int j = 0; j < kStep; j += kGroup) {
      const int k = k0 + j, tap = k / channels;
      const int64_t offset = k < depth ? input_offset(list.in, point, phase.x.taps, tap) : -1;
      Pack<float, kGroup> pack = {};
      if (offset >= 0) pack = load_pack<kGroup>(args.in + offset + k % channels);
#pragma unroll
      for (int e = 0; e < kGroup; ++e) to.a[j + e] = pack.v[e];
    }
    constexpr int kOfB = Loaded<kBN>::kOfB, kGroupB = kWide && kOfB == 4 ? 4 : 1;
    const int column = column0 + thread * kOfB / kStep;
    const int positions = static_cast<int>(list.kh * list.kw);
    const float* weights = args.packed + int64_t{column} * positions * channels;
#pragma unroll
    for (int j = 0; j < kOfB; j += kGroupB) {
      const int k = k0 + thread * kOfB % kStep + j, tap = k / channels;
      Pack<float, kGroupB> pack = {};
      if (k < depth && column < list.out.c) {
        const int position = phase.position(tap, static_cast<int>(list.kw));
        pack = load_pack<kGroupB>(weights + int64_t{position} * channels + k % channels);
      }
#pragma unroll
      for (int e = 0; e < kGroupB; ++e) to.b[j + e] = pack.v[e];
    }
  }
};

template <int kBN>
SIMT_DEVICE void store(Stage<kBN>& stage, int thread, const Loaded<kBN>& from) {
  constexpr int kOfB = Loaded<kBN>::kOfB;
#pragma unroll
  for (int j = 0; j < kStep; ++j) stage.a[j][thread] = from.a[j];
#pragma unroll
  for (int j = 0; j < kOfB; ++j) {
    stage.b[thread * kOfB % kStep + j][thread * kOfB / kStep] = from.b[j];
  }
}

template <int kBN, int kRows, int kColumns, bool kWide>
__global__ void __launch_bounds__(kBlockThreads)
    conv_simt_kernel(ConvPassArgs<float> args, bool wide_output) {
  using Tile = ThreadTile<kBM, kBN, kRows, kColumns>;
  static_assert(Tile::kThreads == kBlockThreads);
  SIMT_SHARED(Stage<kBN>, stages, [2]);
  const TapList& list = args.list;
  const Phase32 phase = phase_of(list, static_cast<int>(blockIdx.z));
  const int thread = static_cast<int>(threadIdx.x);
  const int row0 = static_cast<int>(blockIdx.x) * kBM, column0 = static_cast<int>(blockIdx.y) * kBN;
  if (row0 >= phase.rows()) return;  // the whole block: phases differ in size
  const int depth = phase.taps() * static_cast<int>(list.in.c);
  const Loader loader{args,    phase, thread,
                      column0, depth, input_point(list.in, phase, row0 + thread)};
  Tile tile;
  Loaded<kBN> next;
  if (depth > 0) {
    loader.template load<kBN, kWide>(0, next);
    store(stages[0], thread, next);
  }
  __syncthreads();
  for (int k0 = 0, current = 0; k0 < depth; k0 += kStep, current ^= 1) {
    const bool more = k0 + kStep < depth;
    if (more) loader.template load<kBN, kWide>(k0 + kStep, next);
#pragma unroll
    for (int k = 0; k < kStep; ++k) {
      tile.multiply(thread, stages[current].a[k], stages[current].b[k]);
    }
    // The other stage was read before the last barrier.
    if (more) store(stages[current ^ 1], thread, next);
    __syncthreads();
  }
  // Groups of the tile's rows, one after the other.
  constexpr int kGroups = kRows / Tile::kRowGroup, kGroupRows = kBM / kGroups;
  using Sums = SumTile<kGroupRows, kBN>;
  SIMT_SHARED(Sums, sums);
#pragma unroll
  for (int group = 0; group < kGroups; ++group) {
#pragma unroll
    for (int i = group * Tile::kRowGroup; i < (group + 1) * Tile::kRowGroup; ++i) {
#pragma unroll
      for (int j = 0; j < kColumns; j += Tile::kColumnGroup) {
        Pack<float, Tile::kColumnGroup> pack;
#pragma unroll
        for (int e = 0; e < Tile::kColumnGroup; ++e) pack.v[e] = tile.sum[i][j + e];
        store_pack<Tile::kColumnGroup>(
            &sums.v[Tile::row(thread, i) - group * kGroupRows][Tile::column(thread, j)], pack);
      }
    }
    __syncthreads();
    finish_tile<kBlockThreads>(args, phase, row0 + group * kGroupRows, column0, thread, wide_output,
                               sums);
    write_moments<kBlockThreads>(args, phase, static_cast<int>(blockIdx.z),
                                 row0 + group * kGroupRows, column0, thread, sums,
                                 [] { __syncthreads(); });
    __syncthreads();
  }
}

template <int kBN, int kRows, int kColumns>
void run(const ConvPassArgs<float>& args, StreamHandle stream) {
  const TapImage& in = args.list.in;
  const bool wide = packs_fit(args.in, args.packed) && in.c % 4 == 0 && in.pitch % 4 == 0;
  simt::launch({.name = "conv_simt",
                .grid = dim3(static_cast<unsigned>(ceil_div(most_rows(args.list), kBM)),
                             static_cast<unsigned>(ceil_div(args.list.out.c, kBN)),
                             static_cast<unsigned>(args.list.phases())),
                .block = dim3(kBlockThreads),
                .stream = stream},
               wide ? conv_simt_kernel<kBN, kRows, kColumns, true>
                    : conv_simt_kernel<kBN, kRows, kColumns, false>,
               args, output_packs_fit(args));
}

}  // namespace

void conv_simt(const ConvPassArgs<float>& args, StreamHandle stream) {
  constexpr int kFew = 16;
  if (args.list.out.c <= kFew) {
    run<kFew, 4, 4>(args, stream);
  } else {
    run<64, 8, 8>(args, stream);
  }
}

}  // namespace ebb::EBB_GPU_NAMESPACE
