#include "kernels/conv/cpu/conv_wgrad.h"

#include <algorithm>
#include <utility>

#include "kernels/conv/cpu/conv_partial_sums.h"
#include "kernels/conv/cpu/conv_wgrad_simd.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/workspace.h"

namespace ebb::cpu {
namespace {

// Tasks to aim for; more threads than that stay idle.
constexpr int64_t kTasks = 16;
// Partial gradients may add this part of the bytes that a pass reads anyway.
constexpr int64_t kPartialPart = 4;
// Grid points whose padded input stays in L2, and of the chunk that L1 holds.
constexpr int64_t kUnitPixels = 600, kChunkPixels = 196;

// Tiles of nine taps read one or two vectors of `out` at a time: floats of a chunk, which L1 holds
// meanwhile.
constexpr int64_t kNarrowFloats = 4096;

// Division of the gradient into tasks. Depends on sizes only.
struct WgradPlan {
  WgradRun run = {};
  int64_t splits, groups;  // of images, of blocks of `out` channels
  bool out_is_dy;

  explicit WgradPlan(const ConvGeometry& g);
  int64_t partial_floats() const { return run.blocks() * run.block_floats(); }
  int64_t width() const { return run.blocks() * run.tile.width(); }
};

// Vectors run over the channels of `out`, so the operand with the most channels should be there.
// With stride 1 the roles can be exchanged: out pixel a then reads in[a + pad - k].
void put_wider_operand_out(TapList& list) {
  constexpr int64_t kFewChannels = 4;
  if (list.stride != 1 || list.out.c > kFewChannels || list.in.c <= list.out.c) return;
  std::swap(list.in, list.out);
  list.scatter = true;
}

WgradPlan::WgradPlan(const ConvGeometry& g) {
  TapList list = tap_list(g, ConvPass::kBackwardWeight);
  put_wider_operand_out(list);
  out_is_dy = list.scatter == g.transposed;
  run.list = list;
  const TapPhase phase = run.phase = list.phase(0);
  run.tile = wgrad_tile(phase.taps(), list.in.c);
  run.padded_h = (phase.y.grid - 1) * phase.y.in_step + phase.y.taps;
  run.padded_w = (phase.x.grid - 1) * phase.x.in_step + phase.x.taps;
  run.top = phase.y.in_first;
  run.left = phase.x.in_first;

  const int64_t read_floats =
      list.n * (list.in.h * list.in.w * list.in.c + list.out.h * list.out.w * list.out.c);
  const int64_t affordable = read_floats / (kPartialPart * partial_floats());
  for (splits = 1; splits < kTasks && splits * 2 <= std::min(list.n, affordable);) splits *= 2;
  groups = std::min(run.blocks(), ceil_div(kTasks, splits));

  const int64_t split_images = ceil_div(list.n, splits);
  // With a stride the taps read every second line of the input, in every second set of L1, and the
  // input of a grid point is stride * stride pixels.
  const int64_t step = phase.y.in_step;
  const int64_t unit = kUnitPixels / (step * step);
  const int64_t chunk = run.tile.taps == 9
                            ? std::clamp<int64_t>(kNarrowFloats / list.out.c, 16, kChunkPixels)
                            : kChunkPixels / step;
  const int64_t units = std::max<int64_t>(1, split_images * phase.pixels() / unit);
  run.unit_images = ceil_div(split_images, std::min(units, split_images));
  const int64_t unit_pixels = run.unit_images * phase.pixels();
  run.chunk = ceil_div(unit_pixels, ceil_div(unit_pixels, chunk));
}

struct Workspace {
  int32_t *offsets, *tap_offsets;
  float* partial;       // [splits][partial_floats]
  float* sums;          // [splits][width]
  float* bias_partial;  // bias_gradient_floats, unless sums has the bias gradient
  float* padded;        // [threads][padded_floats]
  float* packed;        // [threads][packed_floats]
  int64_t padded_floats, packed_floats, bytes;

  Workspace(const WgradPlan& plan, int threads, void* base) {
    const WgradRun& run = plan.run;
    WorkspaceCursor cursor(base);
    padded_floats = ceil_div(run.planes() * run.plane_floats(), 16) * 16;
    packed_floats = ceil_div(run.chunk * run.tile.width(), 16) * 16;
    offsets = cursor.take<int32_t>(run.unit_images * run.phase.pixels());
    tap_offsets = cursor.take<int32_t>(run.phase.taps());
    partial = cursor.take<float>(plan.splits * plan.partial_floats());
    sums = cursor.take<float>(plan.splits * plan.width());
    const TapImage& dy = run.list.in;
    bias_partial = cursor.take<float>(plan.out_is_dy ? 0 : bias_gradient_floats(dy, run.list.n));
    padded = cursor.take<float>(threads * padded_floats);
    packed = cursor.take<float>(threads * packed_floats);
    bytes = cursor.bytes();
  }
};

void fill_offsets(const WgradRun& run, int32_t* offsets, int32_t* tap_offsets) {
  for (int64_t t = 0; t < run.phase.taps(); ++t) {
    const Tap tap = run.tap(t);
    const int64_t pixel = (tap.dy - run.top) * run.padded_w + tap.dx - run.left;
    tap_offsets[t] = static_cast<int32_t>(pixel * kWgradPlane);
  }
  for (int64_t g = 0; g < run.unit_images; ++g) {
    for (int64_t y = 0; y < run.phase.y.grid; ++y) {
      const int64_t row = (g * run.padded_h + y * run.phase.y.in_step) * run.padded_w;
      for (int64_t x = 0; x < run.phase.x.grid; ++x) {
        *offsets++ = static_cast<int32_t>((row + x * run.phase.x.in_step) * kWgradPlane);
      }
    }
  }
}

void sum_splits(const WgradPlan& plan, const Workspace& space, int threads) {
  const WgradRun& run = plan.run;
  with_team(threads, plan.splits * plan.groups, 1, [&](TaskQueue& queue, int member) {
    float* padded = space.padded + member * space.padded_floats;
    std::fill_n(padded, space.padded_floats, 0.0f);
    for (int64_t task, last; queue.take(task, last);) {
      const int64_t split = task / plan.groups, group = task % plan.groups;
      wgrad_task(run, {.begin = run.list.n * split / plan.splits,
                       .end = run.list.n * (split + 1) / plan.splits,
                       .first_block = run.blocks() * group / plan.groups,
                       .last_block = run.blocks() * (group + 1) / plan.groups,
                       .partial = space.partial + split * plan.partial_floats(),
                       .sums = plan.out_is_dy ? space.sums + split * plan.width() : nullptr,
                       .padded = padded,
                       .packed = space.packed + member * space.packed_floats});
    }
  });
}

// Writes the sum of tile `tile` (counted over blocks, tap groups and in tiles) to dw.
void write_tile(const WgradPlan& plan, const float* partial, int64_t tile, float* dw) {
  constexpr int64_t kMaxTileFloats = 1024;
  const WgradRun& run = plan.run;
  const int64_t in_tiles = run.in_tiles(), tap_groups = run.phase.taps() / run.tile.taps;
  const int64_t first_in = tile % in_tiles * run.tile.channels;
  const int64_t first_tap = tile / in_tiles % tap_groups * run.tile.taps;
  const int64_t first_out = tile / (in_tiles * tap_groups) * run.tile.width();
  float sum[kMaxTileFloats];
  add_partials(partial, plan.splits, plan.partial_floats(), tile * run.tile.floats(),
               run.tile.floats(), sum);

  const TapList& list = run.list;
  const int64_t kernel = list.kh * list.kw;
  const int64_t c = plan.out_is_dy ? list.in.c : list.out.c;
  const int64_t in_stride = plan.out_is_dy ? 1 : kernel * c;
  const int64_t out_stride = plan.out_is_dy ? kernel * c : 1;
  const int64_t channels = std::min(run.tile.channels, list.in.c - first_in);
  const int64_t width = std::min(run.tile.width(), list.out.c - first_out);
  for (int64_t t = 0; t < run.tile.taps; ++t) {
    const Tap tap = run.tap(first_tap + t);
    float* to = dw + (tap.ky * list.kw + tap.kx) * c;
    const float* from = sum + t * run.tile.channels * run.tile.width();
    for (int64_t j = 0; j < width; ++j) {
      for (int64_t i = 0; i < channels; ++i) {
        to[(first_out + j) * out_stride + (first_in + i) * in_stride] =
            from[i * run.tile.width() + j];
      }
    }
  }
}

}  // namespace

int64_t wgrad_workspace_bytes(const ConvGeometry& geometry, int threads) {
  return Workspace(WgradPlan(geometry), threads, nullptr).bytes;
}

void wgrad_run(const ConvWgradArgs& args, int threads) {
  WgradPlan plan(args.geometry);
  const Workspace space(plan, threads, args.workspace);
  WgradRun& run = plan.run;
  const bool in_is_x = plan.out_is_dy;
  run.in = in_is_x ? args.x : args.dy;
  run.out = in_is_x ? args.dy : args.x;
  run.offsets = space.offsets;
  run.tap_offsets = space.tap_offsets;
  fill_offsets(run, space.offsets, space.tap_offsets);
  sum_splits(plan, space, threads);
  parallel_for(threads, plan.partial_floats() / run.tile.floats(),
               [&](int64_t tile) { write_tile(plan, space.partial, tile, args.dw); });
  if (args.db == nullptr) return;
  if (plan.out_is_dy) {
    add_partials(space.sums, plan.splits, plan.width(), 0, run.list.out.c, args.db);
  } else {
    bias_gradient(run.list.in, run.list.n, args.dy, space.bias_partial, args.db, threads);
  }
}

}  // namespace ebb::cpu
