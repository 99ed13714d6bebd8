#include <algorithm>
#include <limits>

#include "kernels/cuda/conv_plan.h"
#include "kernels/cuda/grid.h"

namespace ebb::EBB_GPU_NAMESPACE {
namespace {

ConvUnits allowed;

}  // namespace

void choose_conv_units(const ConvUnits& units) { allowed = units; }

const char* conv_kernel_name(const ConvGeometry& geometry, ConvPass pass, DType dtype) {
  switch (conv_algorithm(geometry, pass, dtype)) {
    case ConvAlgorithm::kNaive:
      return "naive";
    case ConvAlgorithm::kSimt:
      return "fp32 tiles";
    case ConvAlgorithm::kMma:
      return "mma.sync";
    case ConvAlgorithm::kWgmma:
      return "wgmma";
  }
  return "unknown";
}

ConvAlgorithm conv_algorithm(const ConvGeometry& geometry, ConvPass pass, DType dtype) {
  if (allowed.naive) return ConvAlgorithm::kNaive;
  if (dtype != DType::kF32) {
    // The accelerator wants strides of 16 bytes, steps up to 8 pixels and corners of a byte. Few
    // channels would fill little of a step of 64.
    constexpr int64_t kMostStep = 8, kMostReach = 64;
    const TapList list = tap_list(geometry, pass);
    const TapImage in = list.in, out = list.out;
    const bool fits = in.c % 8 == 0 && in.pitch % 8 == 0 && in.c >= 32 &&
                      geometry.stride <= kMostStep && list.phases() <= kMostWgmmaPhases &&
                      std::max({geometry.kh, geometry.kw, geometry.pad}) <= kMostReach;
    // The weight gradient has it bring both operands.
    const bool other_fits =
        pass != ConvPass::kBackwardWeight || (out.c >= 32 && out.pitch % 8 == 0);
    const bool hopper = allowed.hopper && fits && other_fits;
    return hopper ? ConvAlgorithm::kWgmma : ConvAlgorithm::kMma;
  }
  // Few channels would fill little of a tensor core's step, and among them are times, which 10 bits
  // of mantissa do not hold.
  const bool whole = pass == ConvPass::kBackwardWeight || tap_list(geometry, pass).in.c % 4 == 0;
  const bool tf32 = allowed.tf32 && whole;
  return tf32 ? ConvAlgorithm::kMma : ConvAlgorithm::kSimt;
}

bool fills_gpu(int64_t blocks) { return blocks >= allowed.enough_blocks; }

int64_t channels_packed(const ConvGeometry& geometry, ConvPass pass, DType dtype) {
  const int64_t whole = 16 / size_of(dtype);
  return ceil_div(tap_list(geometry, pass).in.c, whole) * whole;
}

ConvSplits conv_splits(const ConvGeometry& geometry, DType dtype) {
  // Blocks for two waves on 132 SMs, or one wave of blocks that fill an SM, each with enough points
  // to pay for its partial sums.
  struct Blocks {
    int64_t wanted, rows, columns;
  };
  const bool wgmma =
      conv_algorithm(geometry, ConvPass::kBackwardWeight, dtype) == ConvAlgorithm::kWgmma;
  const Blocks blocks = wgmma ? Blocks{132, 192, 128} : Blocks{264, 64, 64};
  constexpr int64_t kFewestPoints = 512, kStep = 64;
  constexpr int64_t kMaxPartialBytes = int64_t{64} << 20;
  const TapList list = tap_list(geometry, ConvPass::kBackwardWeight);
  const int64_t points = list.n * list.out.h * list.out.w;
  const int64_t rows = list.kh * list.kw * list.in.c;
  const int64_t tiles = ceil_div(rows, blocks.rows) * ceil_div(list.out.c, blocks.columns);
  const int64_t by_memory = kMaxPartialBytes / (rows * list.out.c * int64_t{sizeof(float)});
  const int64_t wanted = std::min(ceil_div(blocks.wanted, tiles), by_memory);
  const int64_t splits = std::clamp<int64_t>(wanted, 1, ceil_div(points, kFewestPoints));
  const int64_t per_split = ceil_div(ceil_div(points, splits), kStep) * kStep;
  return {static_cast<int>(ceil_div(points, per_split)), static_cast<int>(per_split)};
}

}  // namespace ebb::EBB_GPU_NAMESPACE
