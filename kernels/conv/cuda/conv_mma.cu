#include "kernels/conv/cuda/conv_mainloop.h"

// Forward and backward input on tensor cores: 16-bit types, and f32 rounded to tf32.
namespace ebb::EBB_GPU_NAMESPACE {
namespace {

// The sums of a warp's part of a block's tile.
template <class S, int kWarpsM>
class WarpSums {
  static constexpr int kWarpsN = S::kThreads / 32 / kWarpsM;
  static constexpr int kWM = S::kBM / kWarpsM, kWN = S::kBN / kWarpsN;

 public:
  SIMT_DEVICE void multiply(const PipelineStage<S>& stage) {
    const int row0 = first_row(), column0 = first_column();
#pragma unroll
    for (int c = 0; c < kStepChunks; c += 2) {
      tile_.multiply(
          lane(),
          [&](int m, int chunk) { return &stage.a[row0 + m][swizzled(row0 + m, c + chunk)]; },
          [&](int n, int chunk) {
            return &stage.b[column0 + n][swizzled(column0 + n, c + chunk)];
          });
    }
  }

  SIMT_DEVICE void store(SumTile<S::kBM, S::kBN>& to) const {
    const int row0 = first_row(), column0 = first_column();
    tile_.for_each_pair(lane(), [&](int m, int n, const float(&pair)[2]) {
      store_pack<2>(&to.v[row0 + m][column0 + n], Pack<float, 2>{{pair[0], pair[1]}});
    });
  }

 private:
  static SIMT_DEVICE int lane() { return static_cast<int>(threadIdx.x) % 32; }
  static SIMT_DEVICE int first_row() { return static_cast<int>(threadIdx.x) / 32 % kWarpsM * kWM; }
  static SIMT_DEVICE int first_column() {
    return static_cast<int>(threadIdx.x) / 32 / kWarpsM * kWN;
  }

  WarpTile<typename S::Element, kWM, kWN> tile_;
};

template <class T, int kBM_, int kBN_, int kWarpsM, int kWarpsN, int kBlocksPerSm_>
struct TileConfig {
  using Element = T;
  static constexpr int kBM = kBM_, kBN = kBN_, kStages = 4, kBlocksPerSm = kBlocksPerSm_;
  static constexpr bool kMoments = kBM % kConvChunkRows == 0;
  static constexpr int kThreads = 32 * kWarpsM * kWarpsN;
  using Tile = WarpSums<TileConfig, kWarpsM>;
};

template <class S, bool kVectorized>
__global__ void __launch_bounds__(S::kThreads, S::kBlocksPerSm)
    conv_mma_kernel(ConvPassArgs<typename S::Element> args, bool vectorized_output) {
  conv_mainloop<S, kVectorized>(args, vectorized_output);
}

template <class S>
void run(const ConvPassArgs<typename S::Element>& args, KernelStream stream) {
  launch_mainloop<S>("conv_mma", conv_mma_kernel<S, true>, conv_mma_kernel<S, false>, args, stream);
}

}  // namespace

template <class T>
void conv_mma(const ConvPassArgs<T>& args, KernelStream stream) {
  using Narrow = TileConfig<T, 128, 16, 4, 1, 4>;
  using Largest = TileConfig<T, 128, 128, 2, 4, 2>;
  using Large = TileConfig<T, 128, 64, 2, 2, 3>;
  using Small = TileConfig<T, 64, 64, 2, 2, 4>;
  using Smallest = TileConfig<T, 32, 32, 2, 2, 8>;
  const bool full_pairs = ceil_div(args.list.out.c, 64) % 2 == 0;
  if (args.list.out.c <= Narrow::kBN) {
    run<Narrow>(args, stream);
  } else if (full_pairs && fills_gpu(tile_blocks<Largest>(args.list), stream.device)) {
    run<Largest>(args, stream);
  } else if (fills_gpu(tile_blocks<Large>(args.list), stream.device)) {
    run<Large>(args, stream);
  } else if (args.moments != nullptr || fills_gpu(tile_blocks<Small>(args.list), stream.device)) {
    run<Small>(args, stream);
  } else {
    run<Smallest>(args, stream);
  }
}
template void conv_mma(const ConvPassArgs<float>&, KernelStream);
template void conv_mma(const ConvPassArgs<__nv_bfloat16>&, KernelStream);
template void conv_mma(const ConvPassArgs<__half>&, KernelStream);

}  // namespace ebb::EBB_GPU_NAMESPACE
