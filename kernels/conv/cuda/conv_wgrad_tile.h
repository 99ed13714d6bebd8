#pragma once

// Shared by the weight gradients on f32 units and on mma.sync. A block makes kWgradRows rows (tap,
// input channel) by kBN columns (output channels) of one split. Each step loads kWgradStep grid
// points into a pipeline of stages in shared memory, where rows and columns have the order that
// they have in memory. Four slices of the block make all of the tile's sums, each from its quarter
// of a step's points, and add them up at the end.

#include "kernels/conv/cuda/conv_pass.h"
#include "kernels/conv/cuda/mma_tile.h"

namespace ebb::EBB_GPU_NAMESPACE {

inline constexpr int kWgradRows = 64, kWgradThreads = 256, kWgradSlices = 4;
inline constexpr int kWgradSliceThreads = kWgradThreads / kWgradSlices;
template <class T>
inline constexpr int kWgradStep = static_cast<int>(128 / sizeof(T));
template <class T>
inline constexpr int kWgradSliceStep = kWgradStep<T> / kWgradSlices;

// kPad: chunks between the rows.
template <class T, int kBN, int kPad>
struct WgradStage {
  static constexpr int kChunksA = kWgradRows / kChunkElements<T>,
                       kChunksB = kBN / kChunkElements<T>;
  Chunk a[kWgradStep<T>][kChunksA + kPad];
  Chunk b[kWgradStep<T>][kChunksB + kPad];
};

// Place of a chunk in its row. Eight chunks of 16-bit elements fill the banks once; narrower rows
// get what swizzling they can.
template <class T, int kChunksPerRow>
SIMT_DEVICE int swizzle(int row, int chunk) {
  return sizeof(T) == 4 ? chunk : chunk ^ (row & (kChunksPerRow - 1));
}

// The work of one block.
template <class T, int kBN>
struct WgradBlock {
  SIMT_DEVICE explicit WgradBlock(const ConvWgradArgs<T>& args)
      : row0(static_cast<int>(blockIdx.x) * kWgradRows),
        column0(static_cast<int>(blockIdx.y) * kBN),
        split(static_cast<int>(blockIdx.z)),
        first(split * args.points_per_split),
        last(min(first + args.points_per_split,
                 static_cast<int>(args.list.n * args.list.out.h * args.list.out.w))) {}

  int row0, column0, split;
  int first, last;  // points
};

// Brings one step after the other. A thread fills the same chunk of a row for several points, so
// that tap and channel never change, and points move on without a division.
template <class T, int kBN, bool kVectorized>
class WgradLoader {
 public:
  SIMT_DEVICE WgradLoader(const ConvWgradArgs<T>& args, const WgradBlock<T, kBN>& block)
      : args_(args), phase_(phase_of(args.list, 0)), last_(block.last), point_(block.first) {
    const TapList& list = args.list;
    const int thread = static_cast<int>(threadIdx.x), channels = static_cast<int>(list.in.c);
    row_ = block.row0 + thread % kChunksA * kChunk;
    const int tap = row_ / channels;
    tap_y_ = tap / phase_.x.taps;
    tap_x_ = tap % phase_.x.taps;
    in_ = tap < phase_.taps() ? args.in + row_ % channels : nullptr;
#pragma unroll
    for (int i = 0; i < kLoadsA; ++i) {
      at_[i] = input_point(list.in, phase_, point_ + thread / kChunksA + i * kPointsA);
    }
    step_top_ = kStep / phase_.points * static_cast<int>(list.in.h);
    step_y_ = kStep % phase_.points / phase_.x.grid * phase_.y.in_step;
    step_x_ = kStep % phase_.x.grid * phase_.x.in_step;
    column_ = block.column0 + thread % kChunksB * kChunk;
    out_ = args.out + (point_ + thread / kChunksB) * list.out.pitch + column_;
  }

  // Points from the last on add nothing.
  template <class Stage>
  SIMT_DEVICE void load_next(Stage& to) {
    const int thread = static_cast<int>(threadIdx.x);
#pragma unroll
    for (int i = 0; i < kLoadsA; ++i) {
      const int k = thread / kChunksA + i * kPointsA;
      load_a(at_[i], point_ + k < last_, to.a[k][swizzle<T, kChunksA>(k, thread % kChunksA)]);
      advance(at_[i]);
    }
#pragma unroll
    for (int i = 0; i < kLoadsB; ++i) {
      const int k = thread / kChunksB + i * kPointsB;
      if (k >= kStep) break;  // rows too narrow for all threads
      load_b(out_ + i * kPointsB * args_.list.out.pitch, point_ + k < last_,
             to.b[k][swizzle<T, kChunksB>(k, thread % kChunksB)]);
    }
    out_ += kStep * args_.list.out.pitch;
    point_ += kStep;
  }

 private:
  static constexpr int kStep = kWgradStep<T>, kChunk = kChunkElements<T>;
  static constexpr int kChunksA = kWgradRows / kChunk, kChunksB = kBN / kChunk;
  static constexpr int kPointsA = kWgradThreads / kChunksA, kPointsB = kWgradThreads / kChunksB;
  static constexpr int kLoadsA = kStep / kPointsA;
  static constexpr int kLoadsB = kStep < kPointsB ? 1 : kStep / kPointsB;
  static_assert(kStep % kPointsA == 0);

  SIMT_DEVICE void load_a(const InputPoint& point, bool valid, Chunk& to) const {
    const TapImage& image = args_.list.in;
    if constexpr (kVectorized) {
      const int y = point.y + tap_y_, x = point.x + tap_x_;
      const bool inside = valid && in_ != nullptr &&
                          static_cast<unsigned>(y) < static_cast<unsigned>(image.h) &&
                          static_cast<unsigned>(x) < static_cast<unsigned>(image.w);
      // Only for points inside: of those beyond the last the product has no room in 32 bits.
      const T* from = args_.in;
      if (inside) {
        from = in_ + int64_t{(point.top + y) * static_cast<int>(image.w) + x} * image.pitch;
      }
      simt::cp_async(&to, from, inside);
    } else {
      to = valid ? gather_rows(point) : Chunk{};
    }
  }

  SIMT_DEVICE void load_b(const T* from, bool valid, Chunk& to) const {
    const int left = static_cast<int>(args_.list.out.c) - column_;
    valid = valid && left > 0;
    if constexpr (kVectorized) {
      simt::cp_async(&to, valid ? from : args_.out, valid);
    } else {
      to = gather_chunk(from, valid ? left : 0);
    }
  }

  // A chunk of rows at one point, when channels do not come in aligned chunks.
  SIMT_DEVICE Chunk gather_rows(const InputPoint& point) const {
    Pack<T, kChunk> pack = {};
    const int channels = static_cast<int>(args_.list.in.c);
    for (int i = 0; i < kChunk; ++i) {
      const int tap = (row_ + i) / channels;
      if (tap >= phase_.taps()) break;
      const int64_t offset = input_offset(args_.list.in, point, phase_.x.taps, tap);
      if (offset >= 0) pack.v[i] = args_.in[offset + (row_ + i) % channels];
    }
    Chunk chunk;
    memcpy(&chunk, &pack, sizeof(chunk));
    return chunk;
  }

  // To the point kStep further: a number of images, rows and columns, and what they carry.
  SIMT_DEVICE void advance(InputPoint& point) const {
    const int columns = phase_.x.grid * phase_.x.in_step, rows = phase_.y.grid * phase_.y.in_step;
    point.top += step_top_;
    point.y += step_y_;
    point.x += step_x_;
    if (point.x >= columns + phase_.x.in_first) {
      point.x -= columns;
      point.y += phase_.y.in_step;
    }
    if (point.y >= rows + phase_.y.in_first) {
      point.y -= rows;
      point.top += static_cast<int>(args_.list.in.h);
    }
  }

  const ConvWgradArgs<T>& args_;
  const Phase32 phase_;
  int last_, point_;  // first point of the next step
  int row_, tap_y_, tap_x_, column_;
  const T *in_, *out_;
  InputPoint at_[kLoadsA];
  int step_top_, step_y_, step_x_;
};

// Calls multiply(stage) for all steps of the block. Afterwards the stages are free.
template <int kStages, bool kVectorized, class T, int kBN, class Stage, class Multiply>
SIMT_DEVICE void for_each_step(const ConvWgradArgs<T>& args, const WgradBlock<T, kBN>& block,
                               Stage* stages, const Multiply& multiply) {
  WgradLoader<T, kBN, kVectorized> loader(args, block);
  const int steps = (block.last - block.first + kWgradStep<T> - 1) / kWgradStep<T>;
#pragma unroll
  for (int s = 0; s < kStages - 1; ++s) {
    if (s < steps) loader.load_next(stages[s]);
    simt::cp_async_commit();
  }
  int filled = kStages - 1, read = 0;  // stages
  for (int step = 0; step < steps; ++step) {
    simt::cp_async_wait<kStages - 2>();
    // This step has come for all threads, and all have left the stage that is filled next.
    __syncthreads();
    if (step + kStages - 1 < steps) loader.load_next(stages[filled]);
    simt::cp_async_commit();
    multiply(stages[read]);
    filled = filled + 1 < kStages ? filled + 1 : 0;
    read = read + 1 < kStages ? read + 1 : 0;
  }
  simt::cp_async_wait<0>();
  __syncthreads();
}

// Adds the sums of all slices to those of slice 0: the upper half of the slices to the lower half,
// and again. scratch: kWgradSlices / 2 times the sums of a slice.
template <class Sums>
SIMT_DEVICE void add_slices(Sums& sums, float* scratch) {
  constexpr int kCount = static_cast<int>(sizeof(Sums) / sizeof(float));
  auto& sum = reinterpret_cast<float(&)[kCount]>(sums);
  const int thread = static_cast<int>(threadIdx.x), slice = thread / kWgradSliceThreads;
#pragma unroll
  for (int half = kWgradSlices / 2; half > 0; half /= 2) {
    float* at = scratch + slice % half * kCount * kWgradSliceThreads + thread % kWgradSliceThreads;
    if (slice / half == 1) {
#pragma unroll
      for (int i = 0; i < kCount; ++i) at[i * kWgradSliceThreads] = sum[i];
    }
    __syncthreads();
    if (slice < half) {
#pragma unroll
      for (int i = 0; i < kCount; ++i) sum[i] += at[i * kWgradSliceThreads];
    }
    __syncthreads();
  }
}

// Grid of a kernel.
template <class T>
dim3 wgrad_grid(const ConvWgradArgs<T>& args, int columns) {
  const TapList& list = args.list;
  return {static_cast<unsigned>(ceil_div(list.kh * list.kw * list.in.c, kWgradRows)),
          static_cast<unsigned>(ceil_div(list.out.c, columns)), static_cast<unsigned>(args.splits)};
}

// Whether both operands come in aligned chunks of 16 bytes.
template <class T>
bool aligned_chunks(const ConvWgradArgs<T>& args) {
  const TapImage &in = args.list.in, &out = args.list.out;
  bool aligned = packs_fit(args.in, args.out);
  for (int64_t elements : {in.c, in.pitch, out.c, out.pitch}) {
    aligned = aligned && elements % kChunkElements<T> == 0;
  }
  return aligned;
}

}  // namespace ebb::EBB_GPU_NAMESPACE
