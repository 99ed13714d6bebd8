#pragma once

// Forward and backward input by a ring of stages in shared memory that cp.async fills: the same for
// tensor cores (conv_mma.cu) and for ordinary units (conv_simt.cu), which differ in how a stage is
// multiplied. A block makes kBM rows (grid points) by kBN channels. kStages steps of four chunks of
// k lie in shared memory; the copies of later ones are under way while one is multiplied. Sums run
// over k in order, whatever the batch.

#include <algorithm>

#include "kernels/conv/cuda/conv_moments.h"
#include "kernels/conv/cuda/mma_tile.h"

namespace ebb::EBB_GPU_NAMESPACE {

inline constexpr int kRingChunks = 4;  // of a step

// Rows of 64 bytes: two fill the 32 banks once, so chunks move with every second row.
SIMT_DEVICE int swizzled(int row, int chunk) { return chunk ^ (row / 2 & (kRingChunks - 1)); }

// A shape S has Element, kBM, kBN, kThreads, kStages, a Tile (the sums of a thread or of its warp),
// and kMoments: whether its rows are whole chunks of moments.
template <class S>
struct RingStage {
  Chunk a[S::kBM][kRingChunks];
  Chunk b[S::kBN][kRingChunks];
};

// What one thread copies of every step: one chunk of k for several rows of A and of B. Its calls of
// load() follow k.
template <class S, bool kWide>
class RingLoader {
  using T = typename S::Element;

 public:
  static constexpr int kRowStep = S::kThreads / kRingChunks;
  static constexpr int kRowsA = S::kBM / kRowStep, kRowsB = (S::kBN + kRowStep - 1) / kRowStep;
  static constexpr int kStep = kRingChunks * kChunkElements<T>;
  static_assert(S::kBM % kRowStep == 0);

  SIMT_DEVICE RingLoader(const ConvPassArgs<T>& args, const Phase32& phase, int row0, int column0)
      : args_(args),
        phase_(phase),
        row_(static_cast<int>(threadIdx.x) / kRingChunks),
        chunk_(static_cast<int>(threadIdx.x) % kRingChunks),
        columns_(static_cast<int>(args.list.out.c) - column0),
        of_column_(static_cast<int>(args.list.kh * args.list.kw) * args.channels_packed),
        weights_(args.packed + int64_t{column0 + row_} * of_column_) {
#pragma unroll
    for (int i = 0; i < kRowsA; ++i) {
      const InputPoint p = input_point(args.list.in, phase, row0 + row_ + i * kRowStep);
      points_[i] = {(p.top + p.y) * static_cast<int>(args.list.in.w) + p.x, p.y, p.x};
    }
    schedule_.advance(chunk_ * kChunkElements<T>, args.channels_packed, phase.x.taps);
  }

  SIMT_DEVICE int steps() const {
    return (phase_.taps() * args_.channels_packed + kStep - 1) / kStep;
  }

  SIMT_DEVICE void load(RingStage<S>& to) {
    const TapImage& in = args_.list.in;
    const bool inside = schedule_.y < phase_.y.taps;
    const int left = inside ? static_cast<int>(in.c) - schedule_.channel : 0;
    const int tap_pixel = schedule_.y * static_cast<int>(in.w) + schedule_.x;
#pragma unroll
    for (int i = 0; i < kRowsA; ++i) {
      const Point& point = points_[i];
      const bool read =
          left > 0 && static_cast<unsigned>(point.y + schedule_.y) < static_cast<unsigned>(in.h) &&
          static_cast<unsigned>(point.x + schedule_.x) < static_cast<unsigned>(in.w);
      const int row = row_ + i * kRowStep;
      Chunk* dst = &to.a[row][swizzled(row, chunk_)];
      const int64_t at = int64_t{point.pixel + tap_pixel} * in.pitch + schedule_.channel;
      const T* src = args_.in + (read ? at : 0);
      if constexpr (kWide) {
        simt::cp_async(dst, src, read);
      } else {
        *dst = gather_chunk(src, read ? left : 0);
      }
    }
    const int position = inside ? schedule_.position(phase_, static_cast<int>(args_.list.kw)) : 0;
    const T* weights = weights_ + position * args_.channels_packed + schedule_.channel;
#pragma unroll
    for (int i = 0; i < kRowsB; ++i) {
      const int row = row_ + i * kRowStep;
      if (S::kBN % kRowStep != 0 && row >= S::kBN) break;
      const bool read = inside && row < columns_;
      const T* src = read ? weights + int64_t{i * kRowStep} * of_column_ : args_.packed;
      simt::cp_async(&to.b[row][swizzled(row, chunk_)], src, read);
    }
    schedule_.advance(kStep, args_.channels_packed, phase_.x.taps);
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
  TapIterator schedule_;
  Point points_[kRowsA];
};

template <class S, bool kWide>
SIMT_DEVICE void conv_ring(const ConvPassArgs<typename S::Element>& args, bool wide_output) {
  SIMT_DYNAMIC_SHARED(RingStage<S>, stages);
  const Phase32 phase = phase_of(args.list, static_cast<int>(blockIdx.z));
  const int row0 = static_cast<int>(blockIdx.x) * S::kBM;
  const int column0 = static_cast<int>(blockIdx.y) * S::kBN;
  if (row0 >= phase.rows()) return;  // the whole block: phases differ in size
  RingLoader<S, kWide> loader(args, phase, row0, column0);
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
  finish_tile<S::kThreads>(args, phase, row0, column0, thread, wide_output, sums);
  if constexpr (S::kMoments) {
    write_moments<S::kThreads>(args, phase, static_cast<int>(blockIdx.z), row0, column0, thread,
                               sums, [] { __syncthreads(); });
  }
}

template <class S>
using RingKernel = void(ConvPassArgs<typename S::Element>, bool wide_output);

// `wide` is for input whose channels come in whole chunks, `narrow` for any other.
template <class S>
void launch_ring(const char* name, RingKernel<S>* wide, RingKernel<S>* narrow,
                 const ConvPassArgs<typename S::Element>& args, KernelStream stream) {
  constexpr int kWhole = kChunkElements<typename S::Element>;
  const TapImage& in = args.list.in;
  const bool whole = packs_fit(args.in) && in.c % kWhole == 0 && in.pitch % kWhole == 0;
  simt::launch({.name = name,
                .grid = dim3(static_cast<unsigned>(ceil_div(most_rows(args.list), S::kBM)),
                             static_cast<unsigned>(ceil_div(args.list.out.c, S::kBN)),
                             static_cast<unsigned>(args.list.phases())),
                .block = dim3(S::kThreads),
                .shared_bytes = std::max<int64_t>(S::kStages * sizeof(RingStage<S>),
                                                  sizeof(SumTile<S::kBM, S::kBN>)),
                .stream = stream},
               whole ? wide : narrow, args, output_packs_fit(args));
}

}  // namespace ebb::EBB_GPU_NAMESPACE
