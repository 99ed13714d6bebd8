#include <algorithm>

#include "kernels/conv/cpu/conv_partial_sums.h"
#include "kernels/conv/cpu/conv_winograd.h"
#include "kernels/conv/cpu/conv_winograd_simd.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/workspace.h"

namespace ebb::cpu {
namespace {

// The partial gradient, up to several times the size of L2, is visited once per block. The larger
// it is, the larger the blocks, although then their transformed tiles leave L2 as well.
constexpr int64_t kVisitBytesPerTile = 8192, kMinBlockTiles = 16, kMaxBlockTiles = 48;

// Splits of the tiles, as many as the partial gradients stay below the bytes that a pass reads
// anyway; blocks of channels are split, at the cost of transforming the input again, when that
// leaves fewer than kTasks tasks.
constexpr int64_t kMaxSplits = 16, kTasks = 4;

// Division of the gradient into tasks. Depends on sizes only.
struct Plan {
  WinogradWgradRun run = {};
  int64_t splits, groups;
  bool out_is_dy;

  Plan(const ConvGeometry& g, int64_t size) : out_is_dy(!g.transposed) {
    const TapList list = tap_list(g, ConvPass::kBackwardWeight);
    run.tiles = winograd_tiles(list, size, nullptr);
    set_winograd_wgrad_tile(run);
    const int64_t visit_bytes = partial_floats() * static_cast<int64_t>(sizeof(float));
    run.block_tiles = std::clamp(visit_bytes / kVisitBytesPerTile, kMinBlockTiles, kMaxBlockTiles);
    const int64_t read_floats =
        list.n * (list.in.h * list.in.w * list.in.c + list.out.h * list.out.w * list.out.c);
    const int64_t affordable = read_floats / partial_floats();
    const int64_t most = std::min(affordable, ceil_div(run.tiles.count(), run.block_tiles));
    for (splits = 1; splits < kMaxSplits && splits * 2 <= most;) splits *= 2;
    groups = std::min(run.blocks(), ceil_div(kTasks, splits));
  }
  int64_t partial_floats() const { return run.blocks() * run.block_floats(); }
  int64_t width() const { return run.blocks() * run.width; }
};

struct Workspace {
  float* zeros;
  int32_t* offsets;
  float* partial;       // [splits][partial_floats]
  float* sums;          // [splits][width]
  float* bias_partial;  // bias_gradient_floats, unless sums has the bias gradient
  float* scratch;       // [threads][scratch_floats]
  int64_t bytes;

  Workspace(const Plan& plan, int threads, void* base) {
    const TapList& list = plan.run.tiles.list;
    WorkspaceCursor cursor(base);
    zeros = cursor.take<float>(std::max(list.in.c, list.out.c));
    offsets = cursor.take<int32_t>(plan.run.block_tiles);
    partial = cursor.take<float>(plan.splits * plan.partial_floats());
    sums = cursor.take<float>(plan.splits * plan.width());
    bias_partial = cursor.take<float>(plan.out_is_dy ? 0 : bias_gradient_floats(list.in, list.n));
    scratch = cursor.take<float>(threads * plan.run.scratch_floats());
    bytes = cursor.bytes();
  }
};

void sum_splits(const Plan& plan, const Workspace& space, int threads) {
  const WinogradWgradRun& run = plan.run;
  with_team(threads, plan.splits * plan.groups, 1, [&](TaskQueue& queue, int member) {
    float* scratch = space.scratch + member * run.scratch_floats();
    for (int64_t task, last; queue.take(task, last);) {
      const int64_t split = task / plan.groups, group = task % plan.groups;
      winograd_wgrad_task(run,
                          {.begin = run.tiles.count() * split / plan.splits,
                           .end = run.tiles.count() * (split + 1) / plan.splits,
                           .first_block = run.blocks() * group / plan.groups,
                           .last_block = run.blocks() * (group + 1) / plan.groups,
                           .partial = space.partial + split * plan.partial_floats(),
                           .sums = plan.out_is_dy ? space.sums + split * plan.width() : nullptr,
                           .scratch = scratch});
    }
  });
}

// Channels of a register tile are at most 32.
constexpr int64_t kMaxWidth = 32;
using Lanes = float[kMaxWidth];

// G' m for one column: two taps, tiles of 3x3 pixels.
void transform_back(const Lanes (&m)[4], Lanes (&to)[2]) {
  for (int64_t j = 0; j < kMaxWidth; ++j) {
    to[0][j] = m[0][j] + 0.5f * (m[1][j] + m[2][j]);
    to[1][j] = 0.5f * (m[1][j] - m[2][j]) + m[3][j];
  }
}

// Three taps, tiles of 2x2 pixels.
void transform_back(const Lanes (&m)[4], Lanes (&to)[3]) {
  for (int64_t j = 0; j < kMaxWidth; ++j) {
    const float even = 0.5f * (m[1][j] + m[2][j]), odd = 0.5f * (m[1][j] - m[2][j]);
    to[0][j] = m[0][j] + even;
    to[1][j] = odd;
    to[2][j] = even + m[3][j];
  }
}

// Three taps, tiles of 4x4 pixels.
void transform_back(const Lanes (&m)[6], Lanes (&to)[3]) {
  for (int64_t j = 0; j < kMaxWidth; ++j) {
    const float even1 = (m[1][j] + m[2][j]) / -6, odd1 = (m[1][j] - m[2][j]) / -6;
    const float even2 = (m[3][j] + m[4][j]) / 24, odd2 = (m[3][j] - m[4][j]) / 12;
    to[0][j] = m[0][j] / 4 + even1 + even2;
    to[1][j] = odd1 + odd2;
    to[2][j] = even1 + 4 * even2 + m[5][j];
  }
}

// dg = G' m G
template <int kTaps, int kSide>
void transform_back(const Lanes (&m)[kSide][kSide], Lanes (&dg)[kTaps][kTaps]) {
  Lanes half[kTaps][kSide];
  for (int x = 0; x < kSide; ++x) {
    Lanes column[kSide], t[kTaps];
    for (int y = 0; y < kSide; ++y) std::copy_n(m[y][x], kMaxWidth, column[y]);
    transform_back(column, t);
    for (int y = 0; y < kTaps; ++y) std::copy_n(t[y], kMaxWidth, half[y][x]);
  }
  for (int y = 0; y < kTaps; ++y) transform_back(half[y], dg[y]);
}

// Writes dw of one channel of `in`, counted over parities, and one block of channels of `out`.
template <int kTaps, int kSide>
void write_filters(const Plan& plan, const float* partial, int64_t channel, int64_t block,
                   float* dw) {
  const WinogradWgradRun& run = plan.run;
  const TapList& list = run.tiles.list;
  Lanes m[kSide][kSide] = {}, dg[kTaps][kTaps];
  for (int64_t part = 0; part < run.tiles.parts(); ++part) {
    const int64_t at =
        block * run.block_floats() + (part * run.tiles.in_channels() + channel) * run.width;
    std::copy_n(partial + at, run.width, m[part / kSide][part % kSide]);
  }
  transform_back(m, dg);

  const int64_t c = plan.out_is_dy ? list.in.c : list.out.c;
  const int64_t kernel = list.kh * list.kw;
  const int64_t in_stride = plan.out_is_dy ? 1 : kernel * c;
  const int64_t out_stride = plan.out_is_dy ? kernel * c : 1;
  const int64_t first_out = block * run.width, width = std::min(run.width, list.out.c - first_out);
  for (int64_t k = 0; k < kTaps * kTaps; ++k) {
    const int64_t ty = k / kTaps, tx = k % kTaps;
    const Tap tap = run.tiles.tap(channel / list.in.c, ty, tx);
    float* to = dw + (tap.ky * list.kw + tap.kx) * c + channel % list.in.c * in_stride +
                first_out * out_stride;
    for (int64_t j = 0; j < width; ++j) to[j * out_stride] = dg[ty][tx][j];
  }
}

}  // namespace

int64_t winograd_wgrad_workspace_bytes(const ConvGeometry& geometry, int64_t size, int threads) {
  return Workspace(Plan(geometry, size), threads, nullptr).bytes;
}

void winograd_wgrad_run(const ConvWgradArgs& args, int64_t size, int threads) {
  Plan plan(args.geometry, size);
  const Workspace space(plan, threads, args.workspace);
  WinogradWgradRun& run = plan.run;
  const TapList& list = run.tiles.list;
  std::fill_n(space.zeros, std::max(list.in.c, list.out.c), 0.0f);
  for (int64_t t = 0; t < run.block_tiles; ++t) {
    space.offsets[t] = static_cast<int32_t>(t * run.in_pitch());
  }
  run.tiles.zeros = space.zeros;
  run.offsets = space.offsets;
  run.in = plan.out_is_dy ? args.x : args.dy;
  run.out = plan.out_is_dy ? args.dy : args.x;
  sum_splits(plan, space, threads);
  merge_partials(space.partial, plan.splits, plan.partial_floats(), threads);
  const auto write = size == 4   ? write_filters<3, 6>
                     : size == 3 ? write_filters<2, 4>
                                 : write_filters<3, 4>;
  const int64_t in_channels = run.tiles.in_channels();
  parallel_for(threads, in_channels * run.blocks(), [&](int64_t task) {
    write(plan, space.partial, task % in_channels, task / in_channels, args.dw);
  });
  if (args.db == nullptr) return;
  if (plan.out_is_dy) {
    add_partials(space.sums, plan.splits, plan.width(), 0, list.out.c, args.db);
  } else {
    bias_gradient(list.in, list.n, args.dy, space.bias_partial, args.db, threads);
  }
}

}  // namespace ebb::cpu
