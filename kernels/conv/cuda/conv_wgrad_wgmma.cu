#include "kernels/conv/cuda/conv_pass.h"
#include "kernels/conv/cuda/tap_map.h"

// Weight gradient of 16-bit types on Hopper (sm_90a). A row block is 64 input channels of one tap;
// three warpgroups multiply three of them with the same kBN output channels, along the grid points
// of one split. One thread has the tensor memory accelerator fill a pipeline of stages of 64
// points: its im2col mode finds the pixels that a tap reads and loads zeros from outside; beyond
// the last point both operands are zero. Channels are innermost in memory, so both operands are
// MN-major.
namespace ebb::EBB_GPU_NAMESPACE {
namespace {

constexpr int kStep = 64, kGroups = 3, kThreadsOfGroup = 128, kStages = 4;
constexpr int kBlockThreads = (1 + kGroups) * kThreadsOfGroup;
constexpr int kBlock = 64;  // channels side by side in shared memory: 128 bytes
constexpr int kSlice = 16;  // points of one wgmma

template <class T, int kBN>
struct Pipeline {
  struct Stage {
    T a[kGroups][kStep * kBlock];
    T b[kBN / kBlock][kStep * kBlock];
  };
  Stage stage[kStages];
  uint64_t full[kStages], empty[kStages];
};

template <int kBN>
SIMT_DEVICE void multiply(float (&d)[kBN / 2], uint64_t a, uint64_t b, __nv_bfloat16) {
  simt::wgmma_bf16<kBN, /*kMnMajor=*/true>(d, a, b, true);
}
template <int kBN>
SIMT_DEVICE void multiply(float (&d)[kBN / 2], uint64_t a, uint64_t b, __half) {
  simt::wgmma_f16<kBN, /*kMnMajor=*/true>(d, a, b, true);
}

template <class T>
SIMT_DEVICE uint64_t descriptor(const T* operand) {
  return simt::matrix_descriptor(simt::shared_address(operand), 1024, kStep * kBlock * sizeof(T));
}

// The row blocks of a thread block.
struct RowBlocks {
  int chunks;        // row blocks of a tap
  int first, count;  // of this thread block; at most kGroups

  SIMT_DEVICE int tap(int group) const { return (first + group) / chunks; }
  SIMT_DEVICE int channel(int group) const { return (first + group) % chunks * kBlock; }
};

// A grid point, advanced by steps instead of divisions, which would take longer than the products.
class PointIterator {
 public:
  SIMT_DEVICE PointIterator(const Phase32& phase, int point)
      : phase_(phase),
        image_(point / phase.points),
        y_(point % phase.points / phase.x.grid),
        x_(point % phase.points % phase.x.grid),
        images_(kStep / phase.points),
        rows_(kStep % phase.points / phase.x.grid),
        columns_(kStep % phase.points % phase.x.grid) {}

  SIMT_DEVICE int image() const { return image_; }
  SIMT_DEVICE int y() const { return y_ * phase_.y.in_step + phase_.y.in_first; }
  SIMT_DEVICE int x() const { return x_ * phase_.x.in_step + phase_.x.in_first; }

  SIMT_DEVICE void advance() {
    x_ += columns_;
    y_ += rows_;
    image_ += images_;
    if (x_ >= phase_.x.grid) {
      x_ -= phase_.x.grid;
      ++y_;
    }
    if (y_ >= phase_.y.grid) {
      y_ -= phase_.y.grid;
      ++image_;
    }
  }

 private:
  const Phase32& phase_;
  int image_, y_, x_;
  int images_, rows_, columns_;  // of kStep points
};

template <class T, int kBN>
SIMT_DEVICE void load_stages(Pipeline<T, kBN>& pipeline, const simt::TensorMap& input,
                             const simt::TensorMap& output, const Phase32& phase,
                             const RowBlocks& rows, int first, int steps, int column0) {
  constexpr int kBlocksB = kBN / kBlock;
  const int boxes = rows.count + kBlocksB;
  uint16_t tap_x[kGroups], tap_y[kGroups];
  int channel[kGroups];
#pragma unroll
  for (int group = 0; group < kGroups; ++group) {
    const int tap = rows.tap(group);
    tap_x[group] = static_cast<uint16_t>(tap % phase.x.taps);
    tap_y[group] = static_cast<uint16_t>(tap / phase.x.taps);
    channel[group] = rows.channel(group);
  }
  PointIterator iterator(phase, first);
  for (int step = 0; step < steps; ++step) {
    const int at = step % kStages, round = step / kStages;
    auto& stage = pipeline.stage[at];
    // The first round finds empty stages: it waits for the phase before the first.
    simt::mbarrier_wait(&pipeline.empty[at], static_cast<uint32_t>(round + 1) & 1);
    simt::mbarrier_arrive_expect(&pipeline.full[at],
                                 static_cast<uint32_t>(boxes * kStep * kBlock * sizeof(T)));
#pragma unroll
    for (int group = 0; group < kGroups; ++group) {
      if (group >= rows.count) break;
      simt::tma_load_im2col(stage.a[group], &input, &pipeline.full[at], channel[group],
                            iterator.x(), iterator.y(), iterator.image(), tap_x[group],
                            tap_y[group]);
    }
    for (int j = 0; j < kBlocksB; ++j) {
      simt::tma_load_2d(stage.b[j], &output, &pipeline.full[at], column0 + j * kBlock,
                        first + step * kStep);
    }
    iterator.advance();
  }
}

template <class T, int kBN>
__global__ void __launch_bounds__(kBlockThreads, 1)
    conv_wgrad_wgmma_kernel(const __grid_constant__ simt::TensorMap input,
                            const __grid_constant__ simt::TensorMap output, ConvWgradArgs<T> args) {
  using R = Pipeline<T, kBN>;
  SIMT_DYNAMIC_SHARED(R, pipeline);
  const int thread = static_cast<int>(threadIdx.x), group = thread / kThreadsOfGroup - 1;
  const Phase32 phase = phase_of(args.list, 0);
  const int channels = static_cast<int>(args.list.in.c);
  const int columns = static_cast<int>(args.list.out.c);
  RowBlocks rows{(channels + kBlock - 1) / kBlock, static_cast<int>(blockIdx.x) * kGroups, 0};
  rows.count = min(kGroups, phase.taps() * rows.chunks - rows.first);
  const int column0 = static_cast<int>(blockIdx.y) * kBN;
  const int split = static_cast<int>(blockIdx.z), first = split * args.points_per_split;
  const int last = min(first + args.points_per_split, phase.rows());
  const int steps = (last - first + kStep - 1) / kStep;
  if (thread == 0) {
    for (int i = 0; i < kStages; ++i) {
      simt::mbarrier_init(&pipeline->full[i], 1);
      simt::mbarrier_init(&pipeline->empty[i], static_cast<uint32_t>(rows.count));
    }
    simt::mbarrier_fence_init();
  }
  __syncthreads();
  if (group < 0) {
    simt::give_registers<40>();
    if (thread == 0) load_stages(*pipeline, input, output, phase, rows, first, steps, column0);
    return;
  }
  simt::take_registers<152>();
  if (group >= rows.count) return;
  const bool is_elected = thread % kThreadsOfGroup == 0;  // for its group
  float sum[kBN / 2];
#pragma unroll
  for (int i = 0; i < kBN / 2; ++i) sum[i] = 0;
  for (int step = 0; step < steps; ++step) {
    const int at = step % kStages, round = step / kStages;
    simt::mbarrier_wait(&pipeline->full[at], static_cast<uint32_t>(round) & 1);
    const T* a = pipeline->stage[at].a[group];
    const T* b = pipeline->stage[at].b[0];
    simt::wgmma_fence();
#pragma unroll
    for (int k = 0; k < kStep; k += kSlice) {
      multiply<kBN>(sum, descriptor(a + k * kBlock), descriptor(b + k * kBlock), T{});
    }
    simt::wgmma_commit();
    // The products of the step before are done.
    simt::wgmma_wait<1>();
    if (is_elected && step > 0) simt::mbarrier_arrive(&pipeline->empty[(step - 1) % kStages]);
  }
  simt::wgmma_wait<0>();
  const int lane = thread % 32, warp = thread % kThreadsOfGroup / 32;
  const int64_t sums_of_split = int64_t{phase.taps()} * channels * columns;
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    const int channel = rows.channel(group) + warp * 16 + half * 8 + lane / 4;
    if (channel >= channels) continue;
    const int64_t row = int64_t{rows.tap(group)} * channels + channel;
    float* to = args.partials + split * sums_of_split + row * columns;
#pragma unroll
    for (int j = 0; j < kBN / 8; ++j) {
      const int column = column0 + j * 8 + lane % 4 * 2;
      if (column < columns) to[column] = sum[j * 4 + half * 2];
      if (column + 1 < columns) to[column + 1] = sum[j * 4 + half * 2 + 1];
    }
  }
}

template <int kBN, class T>
void run(const ConvWgradArgs<T>& args, KernelStream stream) {
  const TapList& list = args.list;
  const TapPhase phase = list.phase(0);
  const int64_t row_blocks = phase.taps() * ceil_div(list.in.c, kBlock);
  simt::launch({.name = "conv_wgrad_wgmma",
                .grid = dim3(static_cast<unsigned>(ceil_div(row_blocks, kGroups)),
                             static_cast<unsigned>(ceil_div(list.out.c, kBN)),
                             static_cast<unsigned>(args.splits)),
                .block = dim3(kBlockThreads),
                .shared_bytes = sizeof(Pipeline<T, kBN>),
                .stream = stream},
               conv_wgrad_wgmma_kernel<T, kBN>, tap_map(args.in, list, phase, kBlock, kStep),
               simt::tensor_map_2d(args.out, kMapElement<T>, list.out.c, list.n * phase.pixels(),
                                   list.out.pitch, kBlock, kStep),
               args);
}

}  // namespace

template <class T>
void conv_wgrad_wgmma(const ConvWgradArgs<T>& args, KernelStream stream) {
  if (args.list.out.c <= 64) {
    run<64>(args, stream);
  } else {
    run<128>(args, stream);
  }
}
template void conv_wgrad_wgmma(const ConvWgradArgs<__nv_bfloat16>&, KernelStream);
template void conv_wgrad_wgmma(const ConvWgradArgs<__half>&, KernelStream);

}  // namespace ebb::EBB_GPU_NAMESPACE
