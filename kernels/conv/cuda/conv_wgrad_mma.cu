#include "kernels/conv/cuda/conv_wgrad_tile.h"

// Weight gradient on tensor cores; f32 is rounded to tf32. Both operands lie in memory with
// channels innermost and are multiplied along the pixels, so fragments are loaded transposed:
// 16-bit types by ldmatrix, f32 element by element. Two warps make a slice.
namespace ebb::EBB_GPU_NAMESPACE {
namespace {

constexpr int kStages = 4;
constexpr int kSliceWarps = kWgradSliceThreads / 32;
template <class T>
constexpr int kChunk = kChunkElements<T>;

// Rows of f32 are padded by 8 banks for WarpTile::multiply_elements.
template <class T, int kBN>
using Stage = WgradStage<T, kBN, sizeof(T) == 4 ? 2 : 0>;

// Adds the products of the points from k0 to k0 + kWgradSliceStep.
template <class T, int kBN, class Tile>
SIMT_DEVICE void multiply(const Stage<T, kBN>& stage, int k0, int lane, int warp_row,
                          int warp_column, Tile& tile) {
  constexpr int kDepth = sizeof(T) == 4 ? 8 : 16;
  static_assert(kWgradSliceStep<T> == kDepth);
  if constexpr (sizeof(T) == 4) {
    tile.multiply_elements(
        lane,
        [&](int k, int m) { return reinterpret_cast<const float*>(stage.a[k0 + k])[warp_row + m]; },
        [&](int k, int n) {
          return reinterpret_cast<const float*>(stage.b[k0 + k])[warp_column + n];
        });
  } else {
    tile.multiply_transposed(
        lane,
        [&](int k, int chunk) {
          const int at = warp_row / kChunk<T> + chunk;
          return &stage.a[k0 + k][swizzle<T, Stage<T, kBN>::kChunksA>(k0 + k, at)];
        },
        [&](int k, int chunk) {
          const int at = warp_column / kChunk<T> + chunk;
          return &stage.b[k0 + k][swizzle<T, Stage<T, kBN>::kChunksB>(k0 + k, at)];
        });
  }
}

template <class T, int kBN, int kWarpsM, bool kVectorized>
__global__ void __launch_bounds__(kWgradThreads, 2) conv_wgrad_mma_kernel(ConvWgradArgs<T> args) {
  using StageT = Stage<T, kBN>;
  SIMT_DYNAMIC_SHARED(StageT, stages);
  constexpr int kWM = kWgradRows / kWarpsM, kWN = kBN / (kSliceWarps / kWarpsM);
  const WgradBlock<T, kBN> block(args);
  const int warp = static_cast<int>(threadIdx.x) / 32, lane = static_cast<int>(threadIdx.x) % 32;
  const int slice = warp / kSliceWarps, in_slice = warp % kSliceWarps;
  const int warp_row = in_slice % kWarpsM * kWM, warp_column = in_slice / kWarpsM * kWN;
  WarpTile<T, kWM, kWN> tile;
  for_each_step<kStages, kVectorized>(args, block, stages, [&](const StageT& stage) {
    multiply<T, kBN>(stage, slice * kWgradSliceStep<T>, lane, warp_row, warp_column, tile);
  });
  add_slices(tile.sum, reinterpret_cast<float*>(stages));
  if (slice != 0) return;
  const int rows = static_cast<int>(args.list.kh * args.list.kw * args.list.in.c);
  const int columns = static_cast<int>(args.list.out.c);
  float* partial = args.partials + int64_t{block.split} * rows * columns;
  tile.for_each_pair(lane, [&](int m, int n, const float(&sums)[2]) {
    const int row = block.row0 + warp_row + m, column = block.column0 + warp_column + n;
    if (row >= rows || column >= columns) return;
    float* to = partial + int64_t{row} * columns + column;
    to[0] = sums[0];
    if (column + 1 < columns) to[1] = sums[1];
  });
}

template <class T, int kBN, int kWarpsM>
void run(const ConvWgradArgs<T>& args, KernelStream stream) {
  simt::launch({.name = "conv_wgrad_mma",
                .grid = wgrad_grid(args, kBN),
                .block = dim3(kWgradThreads),
                .shared_bytes = kStages * static_cast<int64_t>(sizeof(Stage<T, kBN>)),
                .stream = stream},
               aligned_chunks(args) ? conv_wgrad_mma_kernel<T, kBN, kWarpsM, true>
                                    : conv_wgrad_mma_kernel<T, kBN, kWarpsM, false>,
               args);
}

}  // namespace

template <class T>
void conv_wgrad_mma(const ConvWgradArgs<T>& args, KernelStream stream) {
  if (args.list.out.c <= 16) {
    run<T, 16, 2>(args, stream);
  } else {
    run<T, 64, 1>(args, stream);
  }
}
template void conv_wgrad_mma(const ConvWgradArgs<float>&, KernelStream);
template void conv_wgrad_mma(const ConvWgradArgs<__nv_bfloat16>&, KernelStream);
template void conv_wgrad_mma(const ConvWgradArgs<__half>&, KernelStream);

}  // namespace ebb::EBB_GPU_NAMESPACE
