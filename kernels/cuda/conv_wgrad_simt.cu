#include "kernels/cuda/conv_pass.h"
#include "kernels/cuda/conv_tile.h"

// Weight gradient in f32. A block of 128 threads makes 64 rows (tap, input channel) by kBN columns
// (output channels) of one split; each step brings kStep grid points into shared memory.
namespace ebb::EBB_GPU_NAMESPACE {
namespace {

constexpr int kBM = 64, kStep = 16, kBlockThreads = 128;
constexpr int kThreadsPerPoint = kBlockThreads / kStep;
constexpr int kPad = 4;

template <int kBN>
struct Stage {
  float a[kStep][kBM + kPad];
  float b[kStep][kBN + kPad];
};

template <int kBN>
struct Loaded {
  static constexpr int kOfA = kBM / kThreadsPerPoint, kOfB = kBN / kThreadsPerPoint;
  float a[kOfA], b[kOfB];
};

// Points from `last` on add nothing.
template <int kBN, bool kWide>
SIMT_DEVICE void load(const ConvWgradArgs<float>& args, const Phase32& phase, int row0, int column0,
                      int point0, int last, Loaded<kBN>& to) {
  constexpr int kGroup = kWide ? 4 : 1;
  constexpr int kOfA = Loaded<kBN>::kOfA, kOfB = Loaded<kBN>::kOfB;
  const TapList& list = args.list;
  const int thread = static_cast<int>(threadIdx.x), channels = static_cast<int>(list.in.c);
  const int p = point0 + thread / kThreadsPerPoint;
  const InputPoint point = input_point(list.in, phase, p < last ? p : phase.rows());
  const int first_row = row0 + thread % kThreadsPerPoint * kOfA;
#pragma unroll
  for (int i = 0; i < kOfA; i += kGroup) {
    const int row = first_row + i, tap = row / channels;
    Pack<float, kGroup> pack = {};
    const int64_t offset =
        tap < phase.taps() ? input_offset(list.in, point, phase.x.taps, tap) : -1;
    if (offset >= 0) pack = load_pack<kGroup>(args.in + offset + row % channels);
#pragma unroll
    for (int e = 0; e < kGroup; ++e) to.a[i + e] = pack.v[e];
  }
  constexpr int kGroupB = kWide && kOfB % 4 == 0 ? 4 : 1;
  const int first_column = column0 + thread % kThreadsPerPoint * kOfB;
#pragma unroll
  for (int j = 0; j < kOfB; j += kGroupB) {
    const int column = first_column + j;
    Pack<float, kGroupB> pack = {};
    if (p < last && column < list.out.c) {
      pack = load_pack<kGroupB>(args.out + int64_t{p} * list.out.pitch + column);
    }
#pragma unroll
    for (int e = 0; e < kGroupB; ++e) to.b[j + e] = pack.v[e];
  }
}

template <int kBN>
SIMT_DEVICE void store(Stage<kBN>& stage, const Loaded<kBN>& from) {
  constexpr int kOfA = Loaded<kBN>::kOfA, kOfB = Loaded<kBN>::kOfB;
  const int thread = static_cast<int>(threadIdx.x), k = thread / kThreadsPerPoint;
  const int part = thread % kThreadsPerPoint;
#pragma unroll
  for (int i = 0; i < kOfA; ++i) stage.a[k][part * kOfA + i] = from.a[i];
#pragma unroll
  for (int j = 0; j < kOfB; ++j) stage.b[k][part * kOfB + j] = from.b[j];
}

template <int kBN, int kRows, int kColumns, bool kWide>
__global__ void __launch_bounds__(kBlockThreads) conv_wgrad_simt_kernel(ConvWgradArgs<float> args) {
  using Tile = ThreadTile<kBM, kBN, kRows, kColumns>;
  static_assert(Tile::kThreads == kBlockThreads);
  SIMT_SHARED(Stage<kBN>, stages, [2]);
  const TapList& list = args.list;
  const Phase32 phase = phase_of(list, 0);
  const int thread = static_cast<int>(threadIdx.x), split = static_cast<int>(blockIdx.z);
  const int row0 = static_cast<int>(blockIdx.x) * kBM, column0 = static_cast<int>(blockIdx.y) * kBN;
  const int first = split * args.points_per_split;
  const int last = min(first + args.points_per_split, phase.rows());
  Tile tile;
  Loaded<kBN> next;
  load<kBN, kWide>(args, phase, row0, column0, first, last, next);
  store(stages[0], next);
  __syncthreads();
  for (int point = first, current = 0; point < last; point += kStep, current ^= 1) {
    const bool more = point + kStep < last;
    if (more) load<kBN, kWide>(args, phase, row0, column0, point + kStep, last, next);
#pragma unroll
    for (int k = 0; k < kStep; ++k) {
      tile.multiply(thread, stages[current].a[k], stages[current].b[k]);
    }
    if (more) store(stages[current ^ 1], next);
    __syncthreads();
  }
  const int rows = phase.taps() * static_cast<int>(list.in.c);
  const int columns = static_cast<int>(list.out.c);
  float* partial = args.partials + int64_t{split} * rows * columns;
#pragma unroll
  for (int i = 0; i < kRows; ++i) {
    const int row = row0 + Tile::row(thread, i);
#pragma unroll
    for (int j = 0; j < kColumns; ++j) {
      const int column = column0 + Tile::column(thread, j);
      if (row < rows && column < columns) partial[int64_t{row} * columns + column] = tile.sum[i][j];
    }
  }
}

template <int kBN, int kRows, int kColumns>
void run(const ConvWgradArgs<float>& args, StreamHandle stream) {
  const TapList& list = args.list;
  const bool wide = packs_fit(args.in, args.out) && list.in.c % 4 == 0 && list.in.pitch % 4 == 0 &&
                    list.out.c % 4 == 0 && list.out.pitch % 4 == 0;
  simt::launch({.name = "conv_wgrad_simt",
                .grid = dim3(static_cast<unsigned>(ceil_div(list.kh * list.kw * list.in.c, kBM)),
                             static_cast<unsigned>(ceil_div(list.out.c, kBN)),
                             static_cast<unsigned>(args.splits)),
                .block = dim3(kBlockThreads),
                .stream = stream},
               wide ? conv_wgrad_simt_kernel<kBN, kRows, kColumns, true>
                    : conv_wgrad_simt_kernel<kBN, kRows, kColumns, false>,
               args);
}

}  // namespace

void conv_wgrad_simt(const ConvWgradArgs<float>& args, StreamHandle stream) {
  constexpr int kFew = 16;
  if (args.list.out.c <= kFew) {
    run<kFew, 4, 2>(args, stream);
  } else {
    run<64, 8, 4>(args, stream);
  }
}

}  // namespace ebb::EBB_GPU_NAMESPACE
