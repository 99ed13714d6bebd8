#include <algorithm>
#include <limits>

#include "kernels/conv/cuda/conv_plan.h"
#include "kernels/cuda/grid.h"

namespace ebb::EBB_GPU_NAMESPACE {
namespace {

// Channels of the narrow side, and all rows of it, for which one pass over the wide side per
// kConvNarrowRows costs less than filling tiles with zeros.
constexpr int64_t kMaxNarrowChannels = 4, kMaxNarrowRows = 64;

int64_t narrow_rows(const TapList& list) {
  return list.kh * list.kw * std::min(list.in.c, list.out.c);
}

bool is_narrow(const TapList& list) {
  return std::min(list.in.c, list.out.c) <= kMaxNarrowChannels &&
         narrow_rows(list) <= kMaxNarrowRows;
}

// Grid points of kNarrow are the pixels of the wide side.
const TapImage& point_image(const TapList& list, ConvAlgorithm algorithm) {
  return algorithm == ConvAlgorithm::kNarrow && list.in.c > list.out.c ? list.in : list.out;
}

}  // namespace

const char* conv_kernel_name(const ConvGeometry& geometry, ConvPass pass, DType dtype,
                             const ConvMath& math) {
  switch (conv_algorithm(geometry, pass, dtype, math)) {
    case ConvAlgorithm::kNaive:
      return "naive";
    case ConvAlgorithm::kSimt:
      return "fp32 tiles";
    case ConvAlgorithm::kMma:
      return "mma.sync";
    case ConvAlgorithm::kWgmma:
      return "wgmma";
    case ConvAlgorithm::kNarrow:
      return "narrow";
  }
  return "unknown";
}

ConvAlgorithm conv_algorithm(const ConvGeometry& geometry, ConvPass pass, DType dtype,
                             const ConvMath& math) {
  if (math.naive) return ConvAlgorithm::kNaive;
  if (pass == ConvPass::kBackwardWeight && is_narrow(tap_list(geometry, pass))) {
    return ConvAlgorithm::kNarrow;
  }
  if (dtype != DType::kF32) {
    // TMA requires strides of 16 bytes, steps up to 8 pixels and corners of a byte. Few channels
    // would fill little of a step of 64.
    constexpr int64_t kMaxStep = 8, kMaxReach = 64;
    const TapList list = tap_list(geometry, pass);
    const TapImage in = list.in, out = list.out;
    const bool fits = in.c % 8 == 0 && in.pitch % 8 == 0 && in.c >= 32 &&
                      geometry.stride <= kMaxStep && list.phases() <= kMaxWgmmaPhases &&
                      std::max({geometry.kh, geometry.kw, geometry.pad}) <= kMaxReach;
    // The weight gradient has it load both operands.
    const bool other_fits =
        pass != ConvPass::kBackwardWeight || (out.c >= 32 && out.pitch % 8 == 0);
    return math.wgmma && fits && other_fits ? ConvAlgorithm::kWgmma : ConvAlgorithm::kMma;
  }
  // Few channels would fill little of a tensor core's step, and among them are times, which 10 bits
  // of mantissa do not hold.
  const bool aligned = pass == ConvPass::kBackwardWeight || tap_list(geometry, pass).in.c % 4 == 0;
  return math.tf32 && aligned ? ConvAlgorithm::kMma : ConvAlgorithm::kSimt;
}

bool fills_gpu(int64_t blocks, const DeviceProperties& device) {
  return blocks >= 2 * int64_t{device.sm_count};
}

int64_t channels_packed(const ConvGeometry& geometry, ConvPass pass, DType dtype) {
  const int64_t copy = 16 / size_of(dtype);
  return ceil_div(tap_list(geometry, pass).in.c, copy) * copy;
}

ConvSplits conv_splits(const ConvGeometry& geometry, DType dtype, const ConvMath& math) {
  // Blocks that fill 132 SMs once, at one or two per SM, each with enough points to pay for its
  // partial sums. A block more than that would make a second wave. Constants, whatever the GPU: the
  // order of the sums, and so their bits, depends on the splits.
  struct Blocks {
    int64_t wanted, rows, columns, min_points;
  };
  constexpr int64_t kStep = 64, kMaxPartialBytes = int64_t{64} << 20;
  const TapList list = tap_list(geometry, ConvPass::kBackwardWeight);
  const ConvAlgorithm algorithm = conv_algorithm(geometry, ConvPass::kBackwardWeight, dtype, math);
  const bool narrow = algorithm == ConvAlgorithm::kNarrow,
             wgmma = algorithm == ConvAlgorithm::kWgmma;
  const Blocks blocks = narrow  ? Blocks{264, kConvNarrowRows, kConvNarrowColumns, 256}
                        : wgmma ? Blocks{132, 192, 128, 512}
                                : Blocks{264, 64, 64, 512};
  const TapImage& image = point_image(list, algorithm);
  const int64_t points = list.n * image.h * image.w;
  const int64_t rows = narrow ? narrow_rows(list) : list.kh * list.kw * list.in.c;
  const int64_t columns = narrow ? std::max(list.in.c, list.out.c) : list.out.c;
  const int64_t tiles = ceil_div(rows, blocks.rows) * ceil_div(columns, blocks.columns);
  const int64_t by_memory = kMaxPartialBytes / (rows * columns * int64_t{sizeof(float)});
  const int64_t wanted = std::min(blocks.wanted / tiles, by_memory);
  const int64_t splits = std::clamp<int64_t>(wanted, 1, ceil_div(points, blocks.min_points));
  const int64_t per_split = ceil_div(ceil_div(points, splits), kStep) * kStep;
  return {static_cast<int>(ceil_div(points, per_split)), static_cast<int>(per_split)};
}

}  // namespace ebb::EBB_GPU_NAMESPACE
