#include "kernels/conv/cuda/conv_mainloop.h"

// Forward and backward input in f32 on ordinary arithmetic units.
namespace ebb::EBB_GPU_NAMESPACE {
namespace {

// A thread's kRows x kColumns sums of a block's tile. Neighboring threads take neighboring rows
// and columns, so that a warp reads chunks of shared memory without bank conflicts.
template <class S, int kRows, int kColumns>
class ThreadSums {
  static constexpr int kAlong = S::kBN / kColumns, kDown = S::kBM / kRows;

 public:
  SIMT_DEVICE void multiply(const PipelineStage<S>& stage) {
    static_assert(kAlong * kDown == S::kThreads);
    // Small tiles leave registers for the loads of a whole step.
    [[maybe_unused]] constexpr int kUnroll = kRows * kColumns <= 16 ? kStepChunks : 1;
#pragma unroll kUnroll
    for (int chunk = 0; chunk < kStepChunks; ++chunk) {
      Pack<float, 4> b[kColumns];
#pragma unroll
      for (int j = 0; j < kColumns; ++j) b[j] = load(stage.b, column(j), chunk);
#pragma unroll
      for (int i = 0; i < kRows; ++i) {
        const Pack<float, 4> a = load(stage.a, row(i), chunk);
#pragma unroll
        for (int k = 0; k < 4; ++k) {
#pragma unroll
          for (int j = 0; j < kColumns; ++j) sum_[i][j] = fmaf(a.v[k], b[j].v[k], sum_[i][j]);
        }
      }
    }
  }

  SIMT_DEVICE void store(SumTile<S::kBM, S::kBN>& to) const {
#pragma unroll
    for (int i = 0; i < kRows; ++i) {
#pragma unroll
      for (int j = 0; j < kColumns; ++j) to.v[row(i)][column(j)] = sum_[i][j];
    }
  }

 private:
  static SIMT_DEVICE int row(int i) { return static_cast<int>(threadIdx.x) / kAlong + i * kDown; }
  static SIMT_DEVICE int column(int j) {
    return static_cast<int>(threadIdx.x) % kAlong + j * kAlong;
  }
  static SIMT_DEVICE Pack<float, 4> load(const Chunk (*rows)[kStepChunks], int row, int chunk) {
    return load_pack<4>(reinterpret_cast<const float*>(&rows[row][swizzled(row, chunk)]));
  }

  float sum_[kRows][kColumns] = {};
};

template <int kBM_, int kBN_, int kRows, int kColumns, int kBlocksPerSm_>
struct TileConfig {
  using Element = float;
  static constexpr int kBM = kBM_, kBN = kBN_, kStages = 4, kBlocksPerSm = kBlocksPerSm_;
  static constexpr bool kMoments = kBM % kConvChunkRows == 0;
  static constexpr int kThreads = kBM / kRows * (kBN / kColumns);
  using Tile = ThreadSums<TileConfig, kRows, kColumns>;
};

template <class S, bool kVectorized>
__global__ void __launch_bounds__(S::kThreads, S::kBlocksPerSm)
    conv_simt_kernel(ConvPassArgs<float> args, bool vectorized_output) {
  conv_mainloop<S, kVectorized>(args, vectorized_output);
}

template <class S>
void run(const ConvPassArgs<float>& args, KernelStream stream) {
  launch_mainloop<S>("conv_simt", conv_simt_kernel<S, true>, conv_simt_kernel<S, false>, args,
                     stream);
}

}  // namespace

void conv_simt(const ConvPassArgs<float>& args, KernelStream stream) {
  using Narrow = TileConfig<128, 16, 4, 4, 4>;
  using Large = TileConfig<128, 64, 8, 8, 3>;
  using Small = TileConfig<64, 64, 8, 4, 4>;
  using Smallest = TileConfig<32, 32, 4, 4, 8>;
  if (args.list.out.c <= Narrow::kBN) {
    run<Narrow>(args, stream);
  } else if (fills_gpu(tile_blocks<Large>(args.list), stream.device)) {
    run<Large>(args, stream);
  } else if (args.moments != nullptr || fills_gpu(tile_blocks<Small>(args.list), stream.device)) {
    run<Small>(args, stream);
  } else {
    run<Smallest>(args, stream);
  }
}

}  // namespace ebb::EBB_GPU_NAMESPACE
