#pragma once

// Forward and backward input by a pipeline of stages in shared memory that cp.async fills: the same
// for tensor cores (conv_mma.cu) and for ordinary units (conv_simt.cu), which differ in how a stage
// is multiplied. A block makes kBM rows (grid points) by kBN channels. kStages steps of four chunks
// of k lie in shared memory; the copies of later ones are under way while one is multiplied. Sums
// run over k in order, whatever the batch.

#include <algorithm>

#include "kernels/conv/cuda/conv_moments.h"
#include "kernels/conv/cuda/mma_tile.h"

namespace ebb::EBB_GPU_NAMESPACE {

inline constexpr int kStepChunks = 4;  // of a step

// Rows of 64 bytes: two fill the 32 banks once, so chunks move with every second row.
SIMT_DEVICE int swizzled(int row, int chunk) { return chunk ^ (row / 2 & (kStepChunks - 1)); }

// A shape S has Element, kBM, kBN, kThreads, kStages, a Tile (the sums of a thread or of its warp),
// and kMoments: whether its rows are whole chunks of moments.
template <class S>
struct PipelineStage {
  Chunk a[S::kBM][kStepChunks];
  Chunk b[S::kBN][kStepChunks];
};

// One thread's copies for every step: one chunk of k for several rows of A and of B. Calls of
// load() must follow k.
template <class S, bool kVectorized>
class PipelineLoader {
  using T = typename S::Element;

 public:
  static constexpr int kRowStep = S::kThreads / kStepChunks;
  static constexpr int kRowsA = S::kBM / kRowStep, kRowsB = (S::kBN + kRowStep - 1) / kRowStep;
  static constexpr int kStep = kStepChunks * kChunkElements<T>;
  static_assert(S::kBM % kRowStep == 0);

  SIMT_DEVICE PipelineLoader(const ConvPassArgs<T>& args, const Phase32& phase, int row0,
                             int column0)
      : args_(args),
        phase_(phase),
        row_(static_cast<int>(threadIdx.x) / kStepChunks),
        chunk_(static_cast<int>(threadIdx.x) % kStepChunks),
        columns_(static_cast<int>(args.list.out.c) - column0),
        of_column_(static_cast<int>(args.list.kh * args.list.kw) * args.channels_packed),
        weights_(args.packed + int64_t{column0 + row_} * of_column_) {
#pragma unroll
    for (int i = 0; i < kRowsA; ++i) {
      const InputPoint p = input_point(args.list.in, phase, row0 + row_ + i * kRowStep);
      points_[i] = {p.pixel(static_cast<int>(args.list.in.w)), p.y, p.x};
    }
    tap_.advance(chunk_ * kChunkElements<T>, args.channels_packed, phase.x.taps);
  }

  SIMT_DEVICE int steps() const {
    return (phase_.taps() * args_.channels_packed + kStep - 1) / kStep;
  }

  SIMT_DEVICE void load(PipelineStage<S>& to) {
    const TapImage& in = args_.list.in;
    const bool inside = tap_.y < phase_.y.taps;
    const int left = inside ? static_cast<int>(in.c) - tap_.channel : 0;
    const int tap_pixel = tap_.y * static_cast<int>(in.w) + tap_.x;
#pragma unroll
    for (int i = 0; i < kRowsA; ++i) {
      const Point& point = points_[i];
      const bool read = left > 0 &&
                        static_cast<unsigned>(point.y + tap_.y) < static_cast<unsigned>(in.h) &&
                        static_cast<unsigned>(point.x + tap_.x) < static_cast<unsigned>(in.w);
      const int row = row_ + i * kRowStep;
      Chunk* dst = &to.a[row][swizzled(row, chunk_)];
      const T* src = args_.in;
      if (read) src += int64_t{point.pixel + tap_pixel} * in.pitch + tap_.channel;
      if constexpr (kVectorized) {
        simt::cp_async(dst, src, read);
      } else {
        *dst = gather_chunk(src, read ? left : 0);
      }
    }
    const int position = inside ? tap_.position(phase_, static_cast<int>(args_.list.kw)) : 0;
    const T* weights = weights_ + position * args_.channels_packed + tap_.channel;
#pragma unroll
    for (int i = 0; i < kRowsB; ++i) {
      const int row = row_ + i * kRowStep;
      if (S::kBN % kRowStep != 0 && row >= S::kBN) break;
      const bool read = inside && row < columns_;
      const T* src = read ? weights + int64_t{i * kRowStep} * of_column_ : args_.packed;
      simt::cp_async(&to.b[row][swizzled(row, chunk_)], src, read);
    }
    tap_.advance(kStep, args_.channels_packed, phase_.x.taps);
  }

 private:
  struct Point {
    int pixel;  // that tap (0, 0) reads, of all images
    int y, x;
  };

  const ConvPassArgs<T>& args_;
  const Phase32& phase_;
  int row_, chunk_, columns_, of_column_;
  const T* weights_;  // of the first row of B
  TapIterator tap_;
  Point points_[kRowsA];
};

template <class S, bool kVectorized>
SIMT_DEVICE void conv_mainloop(const ConvPassArgs<typename S::Element>& args,
                               bool vectorized_output) {
  SIMT_DYNAMIC_SHARED(PipelineStage<S>, stages);
  const Phase32 phase = phase_of(args.list, static_cast<int>(blockIdx.z));
  const int row0 = static_cast<int>(blockIdx.x) * S::kBM;
  const int column0 = static_cast<int>(blockIdx.y) * S::kBN;
  if (row0 >= phase.rows()) return;  // the whole block: phases differ in size
  PipelineLoader<S, kVectorized> loader(args, phase, row0, column0);
  const int steps = loader.steps();
  typename S::Tile tile;
#pragma unroll
  for (int s = 0; s < S::kStages - 1; ++s) {
    if (s < steps) loader.load(stages[s]);
    simt::cp_async_commit();
  }
  for (int step = 0; step < steps; ++step) {
    simt::cp_async_wait<S::kStages - 2>();
    // This step has come for all threads, and all have left the stage that is filled next.
    __syncthreads();
    const int next = step + S::kStages - 1;
    if (next < steps) loader.load(stages[next % S::kStages]);
    simt::cp_async_commit();
    tile.multiply(stages[step % S::kStages]);
  }
  simt::cp_async_wait<0>();
  __syncthreads();  // all have left the last stage: the sums take the stages' place
  auto& sums = *reinterpret_cast<SumTile<S::kBM, S::kBN>*>(stages);
  tile.store(sums);
  __syncthreads();
  const int thread = static_cast<int>(threadIdx.x);
  epilogue_tile<S::kThreads>(args, phase, row0, column0, thread, vectorized_output, sums);
  if constexpr (S::kMoments) {
    write_moments<S::kThreads>(args, phase, static_cast<int>(blockIdx.z), row0, column0, thread,
                               sums, [] { __syncthreads(); });
  }
}

template <class S>
using MainloopKernel = void(ConvPassArgs<typename S::Element>, bool vectorized_output);

// `vectorized` is for input whose channels come in aligned chunks, `scalar` for any other.
template <class S>
void launch_mainloop(const char* name, MainloopKernel<S>* vectorized, MainloopKernel<S>* scalar,
                     const ConvPassArgs<typename S::Element>& args, KernelStream stream) {
  constexpr int kAligned = kChunkElements<typename S::Element>;
  const TapImage& in = args.list.in;
  const bool aligned = packs_fit(args.in) && in.c % kAligned == 0 && in.pitch % kAligned == 0;
  simt::launch({.name = name,
                .grid = dim3(static_cast<unsigned>(ceil_div(max_rows(args.list), S::kBM)),
                             static_cast<unsigned>(ceil_div(args.list.out.c, S::kBN)),
                             static_cast<unsigned>(args.list.phases())),
                .block = dim3(S::kThreads),
                .shared_bytes = std::max<int64_t>(S::kStages * sizeof(PipelineStage<S>),
                                                  sizeof(SumTile<S::kBM, S::kBN>)),
                .stream = stream},
               aligned ? vectorized : scalar, args, output_packs_fit(args));
}

}  // namespace ebb::EBB_GPU_NAMESPACE
