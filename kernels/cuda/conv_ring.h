#pragma once

// Forward and backward input by a ring of stages in shared memory that cp.async fills: the same for
// tensor cores (conv_mma.cu) and for ordinary units (conv_simt.cu), which differ in how a stage is
// multiplied. A block makes kBM rows (grid points) by kBN channels. kStages steps of four chunks of
// k lie in shared memory; the copies of later ones are under way while one is multiplied. Sums run
// over k in order, whatever the batch.

#include <algorithm>

#include "kernels/cuda/conv_moments.h"
#include "kernels/cuda/mma_tile.h"

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

// What one thread copies of every step: one chunk of k for several rows of A and of B.
template <class S, bool kWide>
class RingLoader {
  using T = typename S::Element;

 public:
  static constexpr int kRowStep = S::kThreads / kRingChunks;
  static constexpr int kRowsA = S::kBM / kRowStep, kRowsB = (S::kBN + kRowStep - 1) / kRowStep;
  static_assert(S::kBM % kRowStep == 0);

  SIMT_DEVICE RingLoader(const ConvPassArgs<T>& args, const Phase32& phase, int row0, int column0)
      : args_(args),
        phase_(phase),
        column0_(column0),
        depth_(phase.taps() * args.channels_packed),
        row_(static_cast<int>(threadIdx.x) / kRingChunks),
        chunk_(static_cast<int>(threadIdx.x) % kRingChunks) {
#pragma unroll
    for (int i = 0; i < kRowsA; ++i) {
      points_[i] = input_point(args.list.in, phase, row0 + row_ + i * kRowStep);
    }
  }

  SIMT_DEVICE int steps() const {
    constexpr int kStep = kRingChunks * kChunkElements<T>;
    return (depth_ + kStep - 1) / kStep;
  }

  SIMT_DEVICE void load(int step, RingStage<S>& to) const {
    const TapList& list = args_.list;
    const int k = (step * kRingChunks + chunk_) * kChunkElements<T>;
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

template <class S, bool kWide>
SIMT_DEVICE void conv_ring(const ConvPassArgs<typename S::Element>& args, bool wide_output) {
  SIMT_DYNAMIC_SHARED(RingStage<S>, stages);
  const Phase32 phase = phase_of(args.list, static_cast<int>(blockIdx.z));
  const int row0 = static_cast<int>(blockIdx.x) * S::kBM;
  const int column0 = static_cast<int>(blockIdx.y) * S::kBN;
  if (row0 >= phase.rows()) return;  // the whole block: phases differ in size
  const RingLoader<S, kWide> loader(args, phase, row0, column0);
  const int steps = loader.steps();
  typename S::Tile tile;
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

// Blocks of a launch with tiles of this shape.
template <class S>
int64_t ring_blocks(const TapList& list) {
  return ceil_div(most_rows(list), S::kBM) * ceil_div(list.out.c, S::kBN) * list.phases();
}

template <class S>
using RingKernel = void(ConvPassArgs<typename S::Element>, bool wide_output);

// `wide` is for input whose channels come in whole chunks, `narrow` for any other.
template <class S>
void launch_ring(const char* name, RingKernel<S>* wide, RingKernel<S>* narrow,
                 const ConvPassArgs<typename S::Element>& args, StreamHandle stream) {
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
