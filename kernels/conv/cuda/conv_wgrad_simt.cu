#include "kernels/conv/cuda/conv_tile.h"
#include "kernels/conv/cuda/conv_wgrad_tile.h"

// Weight gradient in f32.
namespace ebb::EBB_GPU_NAMESPACE {
namespace {

constexpr int kStages = 3;
template <int kBN>
using Stage = WgradStage<float, kBN, 0>;

template <int kBN, int kRows, int kColumns, bool kVectorized>
__global__ void __launch_bounds__(kWgradThreads, 2)
    conv_wgrad_simt_kernel(ConvWgradArgs<float> args) {
  using Tile = ThreadTile<kWgradRows, kBN, kRows, kColumns>;
  static_assert(Tile::kThreads == kWgradSliceThreads);
  SIMT_DYNAMIC_SHARED(Stage<kBN>, stages);
  const WgradBlock<float, kBN> block(args);
  const int slice = static_cast<int>(threadIdx.x) / kWgradSliceThreads;
  const int thread = static_cast<int>(threadIdx.x) % kWgradSliceThreads;
  Tile tile;
  for_each_step<kStages, kVectorized>(args, block, stages, [&](const Stage<kBN>& stage) {
#pragma unroll
    for (int i = 0; i < kWgradSliceStep<float>; ++i) {
      const int k = slice * kWgradSliceStep<float> + i;
      tile.multiply(thread, reinterpret_cast<const float*>(stage.a[k]),
                    reinterpret_cast<const float*>(stage.b[k]));
    }
  });
  add_slices(tile.sum, reinterpret_cast<float*>(stages));
  if (slice != 0) return;
  const int rows = static_cast<int>(args.list.kh * args.list.kw * args.list.in.c);
  const int columns = static_cast<int>(args.list.out.c);
  float* partial = args.partials + int64_t{block.split} * rows * columns;
#pragma unroll
  for (int i = 0; i < kRows; ++i) {
    const int row = block.row0 + Tile::row(thread, i);
#pragma unroll
    for (int j = 0; j < kColumns; ++j) {
      const int column = block.column0 + Tile::column(thread, j);
      if (row < rows && column < columns) partial[int64_t{row} * columns + column] = tile.sum[i][j];
    }
  }
}

template <int kBN, int kRows, int kColumns>
void run(const ConvWgradArgs<float>& args, KernelStream stream) {
  simt::launch({.name = "conv_wgrad_simt",
                .grid = wgrad_grid(args, kBN),
                .block = dim3(kWgradThreads),
                .shared_bytes = kStages * static_cast<int64_t>(sizeof(Stage<kBN>)),
                .stream = stream},
               aligned_chunks(args) ? conv_wgrad_simt_kernel<kBN, kRows, kColumns, true>
                                    : conv_wgrad_simt_kernel<kBN, kRows, kColumns, false>,
               args);
}

}  // namespace

void conv_wgrad_simt(const ConvWgradArgs<float>& args, KernelStream stream) {
  constexpr int kNarrow = 16;
  if (args.list.out.c <= kNarrow) {
    run<kNarrow, 4, 4>(args, stream);
  } else {
    run<64, 8, 8>(args, stream);
  }
}

}  // namespace ebb::EBB_GPU_NAMESPACE
