#include "kernels/cuda/conv_pass.h"
#include "kernels/cuda/mma_tile.h"

// Weight gradient on tensor cores; f32 is rounded to tf32. A block of four warps makes 64 rows
// (tap, input channel) by kBN columns (output channels) of one split. Both operands lie in memory
// with channels innermost and are multiplied along the pixels, so fragments are loaded transposed:
// 16-bit types by ldmatrix, f32 element by element.
namespace ebb::EBB_GPU_NAMESPACE {
namespace {

constexpr int kBM = 64, kStages = 3, kBlockThreads = 128;
template <class T>
constexpr int kStep = static_cast<int>(64 / sizeof(T));  // points
template <class T>
constexpr int kChunk = kChunkElements<T>;

// Rows of f32 are padded by 8 banks for WarpTile::multiply_elements.
template <class T, int kBN>
struct Stage {
  static constexpr int kPad = sizeof(T) == 4 ? 2 : 0;
  Chunk a[kStep<T>][kBM / kChunk<T> + kPad];
  Chunk b[kStep<T>][kBN / kChunk<T> + kPad];
};

// Place of a chunk in its row. Eight chunks of 16-bit elements fill the banks once; narrower rows
// get what swizzling they can.
template <class T, int kChunksPerRow>
SIMT_DEVICE int place(int row, int chunk) {
  return sizeof(T) == 4 ? chunk : chunk ^ (row & (kChunksPerRow - 1));
}

// A chunk of rows (tap, channel) of A at one point, when channels do not come in whole chunks.
template <class T>
SIMT_DEVICE Chunk gather_rows(const ConvWgradArgs<T>& args, const Phase32& phase,
                              const InputPoint& point, int row) {
  Pack<T, kChunk<T>> pack = {};
  const int channels = static_cast<int>(args.list.in.c);
  for (int i = 0; i < kChunk<T>; ++i) {
    const int tap = (row + i) / channels;
    if (tap >= phase.taps()) break;
    const int64_t offset = input_offset(args.list.in, point, phase.x.taps, tap);
    if (offset >= 0) pack.v[i] = args.in[offset + (row + i) % channels];
  }
  Chunk chunk;
  memcpy(&chunk, &pack, sizeof(chunk));
  return chunk;
}

// Points from `last` on add nothing.
template <class T, int kBN, bool kWide>
SIMT_DEVICE void load(const ConvWgradArgs<T>& args, const Phase32& phase, int row0, int column0,
                      int point0, int last, Stage<T, kBN>& to) {
  const TapList& list = args.list;
  const int channels = static_cast<int>(list.in.c), thread = static_cast<int>(threadIdx.x);
  constexpr int kChunksA = kBM / kChunk<T>, kChunksB = kBN / kChunk<T>;
#pragma unroll
  for (int i = thread; i < kStep<T> * kChunksA; i += kBlockThreads) {
    const int k = i / kChunksA, chunk = i % kChunksA, p = point0 + k;
    const InputPoint point = input_point(list.in, phase, p < last ? p : phase.rows());
    const int row = row0 + chunk * kChunk<T>;
    Chunk* dst = &to.a[k][place<T, kChunksA>(k, chunk)];
    if constexpr (kWide) {
      const int tap = row / channels;
      const int64_t offset =
          tap < phase.taps() ? input_offset(list.in, point, phase.x.taps, tap) : -1;
      simt::cp_async(dst, args.in + (offset >= 0 ? offset + row % channels : 0), offset >= 0);
    } else {
      *dst = gather_rows(args, phase, point, row);
    }
  }
#pragma unroll
  for (int i = thread; i < kStep<T> * kChunksB; i += kBlockThreads) {
    const int k = i / kChunksB, chunk = i % kChunksB, p = point0 + k;
    const int column = column0 + chunk * kChunk<T>, left = static_cast<int>(list.out.c) - column;
    const bool valid = p < last && left > 0;
    const T* src = args.out + (valid ? p * list.out.pitch + column : 0);
    Chunk* dst = &to.b[k][place<T, kChunksB>(k, chunk)];
    if constexpr (kWide) {
      simt::cp_async(dst, src, valid);
    } else {
      *dst = gather_chunk(src, valid ? left : 0);
    }
  }
}

// Adds the products of a stage.
template <class T, int kBN, class Tile>
SIMT_DEVICE void multiply(const Stage<T, kBN>& stage, int lane, int warp_row, int warp_column,
                          Tile& tile) {
  constexpr int kDepth = sizeof(T) == 4 ? 8 : 16;
#pragma unroll
  for (int k0 = 0; k0 < kStep<T>; k0 += kDepth) {
    if constexpr (sizeof(T) == 4) {
      tile.multiply_elements(
          lane,
          [&](int k, int m) {
            return reinterpret_cast<const float*>(stage.a[k0 + k])[warp_row + m];
          },
          [&](int k, int n) {
            return reinterpret_cast<const float*>(stage.b[k0 + k])[warp_column + n];
          });
    } else {
      tile.multiply_transposed(
          lane,
          [&](int k, int chunk) {
            const int at = warp_row / kChunk<T> + chunk;
            return &stage.a[k0 + k][place<T, kBM / kChunk<T>>(k0 + k, at)];
          },
          [&](int k, int chunk) {
            const int at = warp_column / kChunk<T> + chunk;
            return &stage.b[k0 + k][place<T, kBN / kChunk<T>>(k0 + k, at)];
          });
    }
  }
}

template <class T, int kBN, int kWarpsM, bool kWide>
__global__ void __launch_bounds__(kBlockThreads) conv_wgrad_mma_kernel(ConvWgradArgs<T> args) {
  using StageT = Stage<T, kBN>;
  SIMT_DYNAMIC_SHARED(StageT, stages);
  constexpr int kWM = kBM / kWarpsM, kWN = kBN / (4 / kWarpsM);
  const Phase32 phase = phase_of(args.list, 0);
  const int warp = static_cast<int>(threadIdx.x) / 32, lane = static_cast<int>(threadIdx.x) % 32;
  const int warp_row = warp % kWarpsM * kWM, warp_column = warp / kWarpsM * kWN;
  const int row0 = static_cast<int>(blockIdx.x) * kBM, column0 = static_cast<int>(blockIdx.y) * kBN;
  const int split = static_cast<int>(blockIdx.z), first = split * args.points_per_split;
  const int last = min(first + args.points_per_split, phase.rows());
  const int steps = (last - first + kStep<T> - 1) / kStep<T>;
  WarpTile<T, kWM, kWN> tile;
#pragma unroll
  for (int s = 0; s < kStages - 1; ++s) {
    if (s < steps) {
      load<T, kBN, kWide>(args, phase, row0, column0, first + s * kStep<T>, last, stages[s]);
    }
    simt::cp_async_commit();
  }
  for (int step = 0; step < steps; ++step) {
    simt::cp_async_wait<kStages - 2>();
    // This step has come for all threads, and all have left the stage that is filled next.
    __syncthreads();
    const int next = step + kStages - 1;
    if (next < steps) {
      load<T, kBN, kWide>(args, phase, row0, column0, first + next * kStep<T>, last,
                          stages[next % kStages]);
    }
    simt::cp_async_commit();
    multiply<T, kBN>(stages[step % kStages], lane, warp_row, warp_column, tile);
  }
  simt::cp_async_wait<0>();
  const int rows = phase.taps() * static_cast<int>(args.list.in.c);
  const int columns = static_cast<int>(args.list.out.c);
  float* partial = args.partials + int64_t{split} * rows * columns;
  tile.for_each_pair(lane, [&](int m, int n, const float(&sums)[2]) {
    const int row = row0 + warp_row + m, column = column0 + warp_column + n;
    if (row >= rows || column >= columns) return;
    float* to = partial + int64_t{row} * columns + column;
    to[0] = sums[0];
    if (column + 1 < columns) to[1] = sums[1];
  });
}

template <class T, int kBN, int kWarpsM>
void run(const ConvWgradArgs<T>& args, StreamHandle stream) {
  const TapList& list = args.list;
  const auto whole_chunks = [](int64_t elements) { return elements % kChunk<T> == 0; };
  const bool wide = packs_fit(args.in, args.out) && whole_chunks(list.in.c) &&
                    whole_chunks(list.in.pitch) && whole_chunks(list.out.c) &&
                    whole_chunks(list.out.pitch);
  simt::launch({.name = "conv_wgrad_mma",
                .grid = dim3(static_cast<unsigned>(ceil_div(list.kh * list.kw * list.in.c, kBM)),
                             static_cast<unsigned>(ceil_div(list.out.c, kBN)),
                             static_cast<unsigned>(args.splits)),
                .block = dim3(kBlockThreads),
                .shared_bytes = kStages * static_cast<int64_t>(sizeof(Stage<T, kBN>)),
                .stream = stream},
               wide ? conv_wgrad_mma_kernel<T, kBN, kWarpsM, true>
                    : conv_wgrad_mma_kernel<T, kBN, kWarpsM, false>,
               args);
}

}  // namespace

template <class T>
void conv_wgrad_mma(const ConvWgradArgs<T>& args, StreamHandle stream) {
  if (args.list.out.c <= 16) {
    run<T, 16, 4>(args, stream);
  } else {
    run<T, 64, 2>(args, stream);
  }
}
template void conv_wgrad_mma(const ConvWgradArgs<float>&, StreamHandle);
template void conv_wgrad_mma(const ConvWgradArgs<__nv_bfloat16>&, StreamHandle);
template void conv_wgrad_mma(const ConvWgradArgs<__half>&, StreamHandle);

}  // namespace ebb::EBB_GPU_NAMESPACE
