#include <algorithm>
#include <limits>

#include "kernels/conv/conv.h"
#include "kernels/conv/cuda/conv_pass.h"
#include "kernels/conv/cuda/conv_plan.h"
#include "kernels/cuda/column_sums.h"

namespace ebb::EBB_GPU_NAMESPACE {
namespace {

// The kernels count grid points, pixels and sums in 32 bits, and have tiles of channels and phases
// along y and z of their grids.
void require_limits(const ConvGeometry& g) {
  constexpr int64_t kMax = std::numeric_limits<int32_t>::max() / 2;
  // Tiles of 32 channels, stride * stride phases; a step reads 64 channels of a tap.
  constexpr int64_t kMaxChannels = kMaxGridY * 32, kMaxStride = 255, kStep = 64;
  const int64_t channels = std::max(g.c, g.o);
  const int64_t points = std::max(g.n * g.h * g.w, g.n * g.ho * g.wo);
  const int64_t depth = g.kh * g.kw * ceil_div(channels, kStep) * kStep;
  // Pixels that taps reach above and below the image: the kernels look there before they know.
  const int64_t outside = (g.kh + g.pad) * std::max(g.w, g.wo);
  EBB_CHECK(points <= kMax && depth <= kMax && outside <= kMax, ShapeError,
            "cuda kernels: a convolution of ", points, " pixels, ", depth, " terms and ", outside,
            " pixels of padding, at most ", kMax, " of each. Use smaller batches");
  EBB_CHECK(channels <= kMaxChannels && g.stride <= kMaxStride, ShapeError,
            "cuda kernels: a convolution of ", channels, " channels with stride ", g.stride,
            ", at most ", kMaxChannels, " and ", kMaxStride, ". Run again with --device cpu");
}

// packed[n, position, channel] of one pass from w [O, KH, KW, C]; channels beyond the last are 0.
template <class T>
__global__ void __launch_bounds__(kThreads)
    conv_pack_kernel(ConvGeometry g, bool transposed, int64_t channels, const float* w, T* packed) {
  const int64_t positions = g.kh * g.kw, rows = transposed ? g.c : g.o;
  const int64_t used = transposed ? g.o : g.c;
  for (int64_t i = global_thread(); i < rows * positions * channels; i += global_threads()) {
    const int64_t row = i / channels / positions, position = i / channels % positions;
    const int64_t channel = i % channels;
    const int64_t o = transposed ? channel : row, c = transposed ? row : channel;
    packed[i] = from_float<T>(channel < used ? w[(o * positions + position) * g.c + c] : 0.0f);
  }
}

// sums[chunk, channel] of kBiasRows rows of dy each. A block is [lanes][packs of kWidth channels]
// threads; threadIdx.y: every kLanes-th row. blockIdx.x: chunk and tile of channels, since y ends
// at 65535, which is 16.7 million rows.
constexpr int kBiasChannels = 32, kBiasWidth = 4;
template <class T, int kWidth>
__global__ void __launch_bounds__(kThreads, 4)
    conv_bias_sums_kernel(int64_t rows, int64_t channels, int64_t pitch, const T* dy, float* sums) {
  constexpr int kColumns = kBiasChannels / kWidth, kLanes = kThreads / kColumns, kUnroll = 8;
  static_assert(kBiasRows % (kUnroll * kLanes) == 0);
  SIMT_SHARED(float, partial, [kThreads / 32][kWidth][kColumns]);
  const unsigned tiles = static_cast<unsigned>(ceil_div(channels, kBiasChannels));
  const int64_t chunk = blockIdx.x / tiles;
  const int64_t channel = int64_t{blockIdx.x % tiles} * kBiasChannels + threadIdx.x * kWidth;
  const bool exists = channel < channels;
  const int64_t first = chunk * kBiasRows;
  const int count = static_cast<int>(min(rows - first, int64_t{kBiasRows}));
  float sum[kWidth] = {};
#pragma unroll 1
  for (int row = threadIdx.y; exists && row < count; row += kUnroll * kLanes) {
    Pack<T, kWidth> v[kUnroll];
#pragma unroll
    for (int k = 0; k < kUnroll; ++k) {  // without a condition, to be in flight together
      const int next = row + k * kLanes;
      v[k] = load_pack<kWidth>(dy + (first + (next < count ? next : row)) * pitch + channel);
    }
#pragma unroll
    for (int k = 0; k < kUnroll; ++k) {
      const bool inside = row + k * kLanes < count;
      for (int e = 0; e < kWidth; ++e) sum[e] += inside ? to_float(v[k].v[e]) : 0.0f;
    }
  }
  reduce_columns(sum, partial);
  const int e = static_cast<int>(threadIdx.y);
  if (e < kWidth && exists) sums[chunk * channels + channel + e] = column_sum(partial, e);
}

// Sums are [taps, a, b]; a result lies at tap * tap_step + a * a_step + b * b_step.
struct PartialSums {
  int64_t taps, a, b;
  int64_t tap_step, a_step, b_step;

  constexpr int64_t count() const { return taps * a * b; }
};

// result = sum over chunks: every kLanes-th in order, then the lanes as column_sum() does. A block
// is [kLanes][results] threads.
template <int kLanes>
__global__ void __launch_bounds__(kThreads, 4)
    add_partials_kernel(PartialSums s, int64_t chunks, const float* sums, float* result) {
  constexpr int kColumns = kThreads / kLanes, kUnroll = 4;
  const int64_t count = s.count(), i = int64_t{blockIdx.x} * kColumns + threadIdx.x;
  float sum = 0;
#pragma unroll 1
  for (int64_t chunk = threadIdx.y; i < count && chunk < chunks; chunk += kUnroll * kLanes) {
    float v[kUnroll];
#pragma unroll
    for (int k = 0; k < kUnroll; ++k) {  // without a condition, to be in flight together
      const int64_t next = chunk + k * kLanes;
      v[k] = sums[(next < chunks ? next : chunk) * count + i];
    }
#pragma unroll
    for (int k = 0; k < kUnroll; ++k) sum += chunk + k * kLanes < chunks ? v[k] : 0.0f;
  }
  if constexpr (kLanes > 1) {
    SIMT_SHARED(float, partial, [kThreads / 32][1][kColumns]);
    const float of_lane[1] = {sum};
    reduce_columns(of_lane, partial);
    sum = column_sum(partial, 0);
  }
  if (threadIdx.y == 0 && i < count) {
    const int64_t tap = i / s.b / s.a, a = i / s.b % s.a, b = i % s.b;
    result[tap * s.tap_step + a * s.a_step + b * s.b_step] = sum;
  }
}

template <int kLanes>
void add_partials(const PartialSums& s, int64_t chunks, const float* sums, float* result,
                  KernelStream stream) {
  constexpr int kColumns = kThreads / kLanes;
  simt::launch({.name = "conv_add_partials",
                .grid = dim3(static_cast<unsigned>(ceil_div(s.count(), kColumns))),
                .block = dim3(kColumns, kLanes),
                .stream = stream},
               add_partials_kernel<kLanes>, s, chunks, sums, result);
}

void add_partials(const PartialSums& s, int64_t chunks, const float* sums, float* result,
                  KernelStream stream) {
  constexpr int64_t kFewChunks = 4, kFewResults = 8192;
  if (chunks <= kFewChunks) return add_partials<1>(s, chunks, sums, result, stream);
  if (chunks <= 2 * kFewChunks || s.count() > kFewResults) {
    return add_partials<8>(s, chunks, sums, result, stream);
  }
  return add_partials<64>(s, chunks, sums, result, stream);
}

int64_t bias_chunks(const ConvGeometry& g) { return ceil_div(g.n * g.ho * g.wo, kBiasRows); }

template <class T>
void bias_gradient(const ConvBackwardWeightArgs& args, KernelStream stream) {
  const ConvGeometry& g = args.geometry;
  float* sums = static_cast<float*>(args.workspace);
  const T* dy = static_cast<const T*>(args.dy);
  const bool vectorized = packs_fit(dy) && g.o % kBiasWidth == 0 && g.y_pitch % kBiasWidth == 0;
  const unsigned columns = static_cast<unsigned>(kBiasChannels / (vectorized ? kBiasWidth : 1));
  simt::launch({.name = "conv_bias_sums",
                .grid = dim3(static_cast<unsigned>(ceil_div(g.o, kBiasChannels) * bias_chunks(g))),
                .block = dim3(columns, kThreads / columns),
                .stream = stream},
               vectorized ? conv_bias_sums_kernel<T, kBiasWidth> : conv_bias_sums_kernel<T, 1>,
               g.n * g.ho * g.wo, g.o, g.y_pitch, dy, sums);
  add_partials({1, 1, g.o, 0, 0, 1}, bias_chunks(g), sums, args.db, stream);
}

template <class T>
void run_pass(const ConvGeometry& geometry, ConvPass pass, DType dtype, ConvPassArgs<T> args,
              KernelStream stream) {
  require_limits(geometry);
  args.list = tap_list(geometry, pass);
  args.channels_packed = static_cast<int>(channels_packed(geometry, pass, dtype));
  switch (conv_algorithm(geometry, pass, dtype, stream.conv_math)) {
    case ConvAlgorithm::kNaive:
      return conv_naive(args, stream);
    case ConvAlgorithm::kSimt:
      if constexpr (std::is_same_v<T, float>) return conv_simt(args, stream);
      break;
    case ConvAlgorithm::kMma:
      return conv_mma(args, stream);
    case ConvAlgorithm::kWgmma:
      if constexpr (!std::is_same_v<T, float>) {
        // A slice of channels may begin between two 16-byte chunks.
        return packs_fit(args.in) ? conv_wgmma(args, stream) : conv_mma(args, stream);
      }
      break;
    case ConvAlgorithm::kNarrow:  // weight gradients alone
      break;
  }
}

}  // namespace

int64_t conv_packed_bytes(const ConvGeometry& geometry, ConvPass pass, DType dtype,
                          const ConvMath&) {
  const int64_t rows = tap_list(geometry, pass).out.c;
  return rows * geometry.kh * geometry.kw * channels_packed(geometry, pass, dtype) * size_of(dtype);
}

void conv_pack(const ConvPackArgs& args, KernelStream stream) {
  const ConvGeometry& g = args.geometry;
  for_dtype("conv", args.dtype, [&](auto type) {
    using T = decltype(type);
    const int64_t channels = channels_packed(g, args.pass, args.dtype);
    const int64_t rows = tap_list(g, args.pass).out.c;
    simt::launch({.name = "conv_pack",
                  .grid = dim3(blocks_for(rows * g.kh * g.kw * channels)),
                  .block = dim3(kThreads),
                  .stream = stream},
                 conv_pack_kernel<T>, g, args.pass == ConvPass::kBackwardInput, channels, args.w,
                 static_cast<T*>(args.packed));
  });
}

int64_t conv_workspace_bytes(const ConvGeometry& geometry, ConvPass pass, DType dtype,
                             const ConvMath& math, int) {
  if (pass != ConvPass::kBackwardWeight) return 0;
  const int64_t weights = geometry.o * geometry.kh * geometry.kw * geometry.c;
  // The bias gradient is done with its sums before the weight gradient begins.
  const int64_t sums = std::max(conv_splits(geometry, dtype, math).splits * weights,
                                bias_chunks(geometry) * geometry.o);
  return sums * static_cast<int64_t>(sizeof(float));
}

int64_t conv_moment_chunks(const ConvGeometry& geometry, DType dtype, const ConvMath& math) {
  if (conv_algorithm(geometry, ConvPass::kForward, dtype, math) == ConvAlgorithm::kNaive) return 0;
  const TapList list = tap_list(geometry, ConvPass::kForward);
  // A chunk finds its place from its phase's number, so all phases must have as many.
  const int64_t pixels = list.phase(0).pixels();
  if (pixels * list.phases() != list.out.h * list.out.w) return 0;
  return list.phases() * ceil_div(list.n * pixels, kConvChunkRows);
}

void conv_forward(const ConvForwardArgs& args, KernelStream stream) {
  for_dtype("conv", args.dtype, [&](auto type) {
    using T = decltype(type);
    ConvPassArgs<T> pass{};
    pass.in = static_cast<const T*>(args.x);
    pass.packed = static_cast<const T*>(args.packed);
    pass.bias = args.bias;
    pass.residual = static_cast<const T*>(args.residual);
    pass.residual_n = args.residual_n;
    pass.activation = args.activation;
    pass.scale = static_cast<const T*>(args.scale);
    pass.scale_n = args.scale_n;
    pass.shift = static_cast<const T*>(args.shift);
    pass.shift_n = args.shift_n;
    pass.moments = args.moments;
    pass.out = static_cast<T*>(args.y);
    run_pass(args.geometry, ConvPass::kForward, args.dtype, pass, stream);
  });
}

void conv_backward_input(const ConvBackwardInputArgs& args, KernelStream stream) {
  for_dtype("conv", args.dtype, [&](auto type) {
    using T = decltype(type);
    ConvPassArgs<T> pass{};
    pass.in = static_cast<const T*>(args.dy);
    pass.packed = static_cast<const T*>(args.packed);
    pass.out = static_cast<T*>(args.dx);
    run_pass(args.geometry, ConvPass::kBackwardInput, args.dtype, pass, stream);
  });
}

void conv_backward_weight(const ConvBackwardWeightArgs& args, KernelStream stream) {
  require_limits(args.geometry);
  for_dtype("conv", args.dtype, [&](auto type) {
    using T = decltype(type);
    if (args.db != nullptr) bias_gradient<T>(args, stream);
    const ConvGeometry& g = args.geometry;
    const ConvSplits plan = conv_splits(g, args.dtype, stream.conv_math);
    ConvWgradArgs<T> wgrad{};
    wgrad.list = tap_list(g, ConvPass::kBackwardWeight);
    wgrad.in = static_cast<const T*>(g.transposed ? args.dy : args.x);
    wgrad.out = static_cast<const T*>(g.transposed ? args.x : args.dy);
    wgrad.splits = plan.splits;
    wgrad.points_per_split = plan.points_per_split;
    wgrad.partials = static_cast<float*>(args.workspace);
    switch (conv_algorithm(g, ConvPass::kBackwardWeight, args.dtype, stream.conv_math)) {
      case ConvAlgorithm::kNaive:
        conv_wgrad_naive(wgrad, stream);
        break;
      case ConvAlgorithm::kSimt:
        if constexpr (std::is_same_v<T, float>) conv_wgrad_simt(wgrad, stream);
        break;
      case ConvAlgorithm::kMma:
        conv_wgrad_mma(wgrad, stream);
        break;
      case ConvAlgorithm::kWgmma:
        if constexpr (!std::is_same_v<T, float>) {
          packs_fit(wgrad.in, wgrad.out) ? conv_wgrad_wgmma(wgrad, stream)
                                         : conv_wgrad_mma(wgrad, stream);
        }
        break;
      case ConvAlgorithm::kNarrow:
        conv_wgrad_narrow(wgrad, stream);
        break;
    }
    // -> [O, taps, C]. The sums have the channels of `in` before those of `out`.
    const int64_t taps = g.kh * g.kw;
    const PartialSums sums = g.transposed ? PartialSums{taps, g.o, g.c, g.c, taps * g.c, 1}
                                          : PartialSums{taps, g.c, g.o, g.c, 1, taps * g.c};
    add_partials(sums, plan.splits, wgrad.partials, args.dw, stream);
  });
}

}  // namespace ebb::EBB_GPU_NAMESPACE
