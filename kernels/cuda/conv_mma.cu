#include <algorithm>

#include "kernels/cuda/conv_moments.h"
#include "kernels/cuda/mma_tile.h"

// Forward and backward input on tensor cores: 16-bit types, and f32 rounded to tf32. A block makes
// kBM rows (grid points) by kBN channels. kStages steps of four chunks of k lie in shared memory;
// the copies of later ones are under way while one is multiplied. Sums run over k in order,
// whatever the batch.
namespace ebb::EBB_GPU_NAMESPACE {
namespace {

constexpr int kChunks = 4;  // of a step

// Rows of 64 bytes: two fill the 32 banks once, so chunks move with every second row.
SIMT_DEVICE int swizzled(int row, int chunk) { return chunk ^ (row / 2 & (kChunks - 1)); }

template <int kBM_, int kBN_, int kWarpsM_, int kWarpsN_>
struct Shape {
  static constexpr int kBM = kBM_, kBN = kBN_, kWarpsM = kWarpsM_, kWarpsN = kWarpsN_;
  static constexpr int kThreads = 32 * kWarpsM * kWarpsN, kStages = 4;
};

template <class S>
struct Stage {
  Chunk a[S::kBM][kChunks];
  Chunk b[S::kBN][kChunks];
};

// What one thread copies of every step: one chunk of k for several rows of A and of B.
template <class T, class S, bool kWide>
class Loader {
 public:
  static constexpr int kRowStep = S::kThreads / kChunks;
  static constexpr int kRowsA = S::kBM / kRowStep, kRowsB = (S::kBN + kRowStep - 1) / kRowStep;

  SIMT_DEVICE Loader(const ConvPassArgs<T>& args, const Phase32& phase, int row0, int column0)
      : args_(args),
        phase_(phase),
        column0_(column0),
        depth_(phase.taps() * args.channels_packed),
        row_(static_cast<int>(threadIdx.x) / kChunks),
        chunk_(static_cast<int>(threadIdx.x) % kChunks) {
#pragma unroll
    for (int i = 0; i < kRowsA; ++i) {
      points_[i] = input_point(args.list.in, phase, row0 + row_ + i * kRowStep);
    }
  }

  SIMT_DEVICE int steps() const {
    constexpr int kStep = kChunks * kChunkElements<T>;
    return (depth_ + kStep - 1) / kStep;
  }

  SIMT_DEVICE void load(int step, Stage<S>& to) const {
    const TapList& list = args_.list;
    const int k = (step * kChunks + chunk_) * kChunkElements<T>;
    const int tap = k / args_.channels_packed, channel = k % args_.channels_packed;
    const bool inside = k < depth_;
    const int left = inside ? static_cast<int>(list.in.c) - channel : 0;
#pragma unroll
    for (int i = 0; i < kRowsA; ++i) {
      const int row = row_ + i * kRowStep;
      const int64_t offset = left > 0 ? input_offset(list.in, points_[i], phase_.x.taps, tap) : -1;
      Chunk* dst = &to.a[row][swizzled(row, chunk_)];
      const T* src = offset >= 0 ? args_.in + offset + channel : args_.in;
      if constexpr (kWide) {
        simt::cp_async(dst, src, offset >= 0);
      } else {
        *dst = gather_chunk(src, offset >= 0 ? left : 0);
      }
    }
    const int position = inside ? phase_.position(tap, static_cast<int>(list.kw)) : 0;
    const int64_t positions = list.kh * list.kw;
#pragma unroll
    for (int i = 0; i < kRowsB; ++i) {
      const int row = row_ + i * kRowStep, column = column0_ + row;
      if (S::kBN % kRowStep != 0 && row >= S::kBN) break;
      const bool valid = inside && column < list.out.c;
      const int64_t at = (column * positions + position) * args_.channels_packed + channel;
      simt::cp_async(&to.b[row][swizzled(row, chunk_)], args_.packed + (valid ? at : 0), valid);
    }
  }

 private:
  const ConvPassArgs<T>& args_;
  const Phase32& phase_;
  int column0_, depth_, row_, chunk_;
  InputPoint points_[kRowsA];
};

template <class T, class S, bool kWide>
__global__ void __launch_bounds__(S::kThreads)
    conv_mma_kernel(ConvPassArgs<T> args, bool wide_output) {
  SIMT_DYNAMIC_SHARED(Stage<S>, stages);
  constexpr int kWM = S::kBM / S::kWarpsM, kWN = S::kBN / S::kWarpsN;
  const Phase32 phase = phase_of(args.list, static_cast<int>(blockIdx.z));
  const int row0 = static_cast<int>(blockIdx.x) * S::kBM;
  const int column0 = static_cast<int>(blockIdx.y) * S::kBN;
  if (row0 >= phase.rows()) return;  // the whole block: phases differ in size
  const int warp = static_cast<int>(threadIdx.x) / 32, lane = static_cast<int>(threadIdx.x) % 32;
  const int warp_row = warp % S::kWarpsM * kWM, warp_column = warp / S::kWarpsM * kWN;
  const Loader<T, S, kWide> loader(args, phase, row0, column0);
  const int steps = loader.steps();
  WarpTile<T, kWM, kWN> tile;
#pragma unroll
  for (int s = 0; s < S::kStages - 1; ++s) {
    if (s < steps) loader.load(s, stages[s]);
    simt::cp_async_commit();
  }
  for (int step = 0; step < steps; ++step) {
    simt::cp_async_wait<S::kStages - 2>();
    // This step has come for all threads, and all have left the stage that is filled next.
    __syncthreads();
    const int next = step + S::kStages - 1;
    if (next < steps) loader.load(next, stages[next % S::kStages]);
    simt::cp_async_commit();
    const Stage<S>& stage = stages[step % S::kStages];
#pragma unroll
    for (int c = 0; c < kChunks; c += 2) {
      tile.multiply(
          lane,
          [&](int m, int chunk) {
            return &stage.a[warp_row + m][swizzled(warp_row + m, c + chunk)];
          },
          [&](int n, int chunk) {
            return &stage.b[warp_column + n][swizzled(warp_column + n, c + chunk)];
          });
    }
  }
  simt::cp_async_wait<0>();
  __syncthreads();  // all have left the last stage: the sums take the stages' place
  auto& sums = *reinterpret_cast<SumTile<S::kBM, S::kBN>*>(stages);
  tile.for_each_pair(lane, [&](int m, int n, const float(&pair)[2]) {
    store_pack<2>(&sums.v[warp_row + m][warp_column + n], Pack<float, 2>{{pair[0], pair[1]}});
  });
  __syncthreads();
  const int thread = static_cast<int>(threadIdx.x);
  finish_tile<S::kThreads>(args, phase, row0, column0, thread, wide_output, sums);
  write_moments<S::kThreads>(args, phase, static_cast<int>(blockIdx.z), row0, column0, thread, sums,
                             [] { __syncthreads(); });
}

template <class S, class T>
void run(const ConvPassArgs<T>& args, StreamHandle stream) {
  const TapImage& in = args.list.in;
  const bool wide =
      packs_fit(args.in) && in.c % kChunkElements<T> == 0 && in.pitch % kChunkElements<T> == 0;
  simt::launch({.name = "conv_mma",
                .grid = dim3(static_cast<unsigned>(ceil_div(most_rows(args.list), S::kBM)),
                             static_cast<unsigned>(ceil_div(args.list.out.c, S::kBN)),
                             static_cast<unsigned>(args.list.phases())),
                .block = dim3(S::kThreads),
                .shared_bytes = std::max<int64_t>(S::kStages * sizeof(Stage<S>),
                                                  sizeof(SumTile<S::kBM, S::kBN>)),
                .stream = stream},
               wide ? conv_mma_kernel<T, S, true> : conv_mma_kernel<T, S, false>, args,
               output_packs_fit(args));
}

}  // namespace

template <class T>
void conv_mma(const ConvPassArgs<T>& args, StreamHandle stream) {
  const int64_t channels = args.list.out.c;
  if (channels <= 16) {
    run<Shape<128, 16, 4, 1>>(args, stream);
  } else if (ceil_div(channels, 64) % 2 != 0) {
    run<Shape<128, 64, 2, 2>>(args, stream);
  } else {
    run<Shape<128, 128, 2, 4>>(args, stream);
  }
}
template void conv_mma(const ConvPassArgs<float>&, StreamHandle);
template void conv_mma(const ConvPassArgs<__nv_bfloat16>&, StreamHandle);
template void conv_mma(const ConvPassArgs<__half>&, StreamHandle);

}  // namespace ebb::EBB_GPU_NAMESPACE
