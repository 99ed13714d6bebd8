#include "kernels/conv/cpu/conv_direct.h"

#include <algorithm>

#include "kernels/conv/cpu/conv_direct_simd.h"
#include "kernels/conv/cpu/conv_weights.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/workspace.h"

namespace ebb::cpu {
namespace {

// The bias is read in whole vectors of a full block (64 channels with AVX-512).
constexpr int64_t kBiasPadding = 64;

// Grid points of a task: long enough that a ragged last strip costs about 1 %, but no longer than
// leaves kMinTasks tasks for the threads.
constexpr int64_t kTaskPixels = 396, kMinTaskPixels = 48, kMinTasks = 16;

int64_t total_taps(const TapList& list) {
  int64_t taps = 0;
  for (int64_t p = 0; p < list.phases(); ++p) taps += list.phase(p).taps();
  return taps;
}

// to[in][width] = w of out channels first..first+width-1, zeros beyond the last. Goes through
// squares, because one of the two sides is read or written across.
void pack_tap(const TapList& list, const WeightView& view, const Tap& tap, int64_t first,
              int64_t width, float* to) {
  constexpr int64_t kSquare = 16;
  const float* from = view.at(tap.ky, tap.kx);
  for (int64_t c0 = 0; c0 < list.in.c; c0 += kSquare) {
    const int64_t c1 = std::min(c0 + kSquare, list.in.c);
    for (int64_t j = 0; j < width; ++j) {
      const bool inside = first + j < list.out.c;
      const float* column = from + (first + j) * view.out_stride();
      for (int64_t c = c0; c < c1; ++c) {
        to[c * width + j] = inside ? column[c * view.in_stride()] : 0.0f;
      }
    }
  }
}

struct Workspace {
  PhaseTable* phases;
  float* zeros;
  float* bias;

  Workspace(const TapList& list, WorkspaceCursor& cursor)
      : phases(cursor.take<PhaseTable>(list.phases())),
        zeros(cursor.take<float>(list.in.c)),
        bias(cursor.take<float>(ceil_div(list.out.c, kBiasPadding) * kBiasPadding)) {}
};

// offsets[g * taps + t] = in(g, t) * step, or -1 outside 0..size-1.
void fill_offsets(const TapAxis& axis, int64_t size, int64_t step, int64_t* offsets) {
  for (int64_t g = 0; g < axis.grid; ++g) {
    for (int64_t t = 0; t < axis.taps; ++t) {
      const int64_t i = axis.in(g, t);
      *offsets++ = i < 0 || i >= size ? -1 : i * step;
    }
  }
}

// Lays out the workspace behind `base` and fills it in; with a null base only counts.
int64_t prepare(const ConvPassArgs& args, void* base, DirectRun* run) {
  const TapList& list = args.list;
  WorkspaceCursor cursor(base);
  const Workspace space(list, cursor);
  int64_t taps_before = 0;
  for (int64_t p = 0; p < list.phases(); ++p) {
    const TapPhase phase = list.phase(p);
    int64_t* y = cursor.take<int64_t>(phase.y.grid * phase.y.taps);
    int64_t* x = cursor.take<int64_t>(phase.x.grid * phase.x.taps);
    if (base == nullptr) continue;
    fill_offsets(phase.y, list.in.h, list.in.w * list.in.pitch, y);
    fill_offsets(phase.x, list.in.w, list.in.pitch, x);
    space.phases[p] = {phase, y, x, taps_before};
    taps_before += phase.taps();
  }
  if (base == nullptr) return cursor.bytes();
  std::fill_n(space.zeros, list.in.c, 0.0f);
  std::fill_n(space.bias, ceil_div(list.out.c, kBiasPadding) * kBiasPadding, 0.0f);
  if (args.epilogue.bias != nullptr) std::copy_n(args.epilogue.bias, list.out.c, space.bias);
  *run = {.list = list,
          .phases = space.phases,
          .total_taps = taps_before,
          .in = args.in,
          .packed = args.packed,
          .out = args.out,
          .zeros = space.zeros,
          .epilogue = args.epilogue};
  run->epilogue.bias = space.bias;
  return cursor.bytes();
}

// Calls strips(phase, block, begin, end) so that every grid point of every phase and block is
// covered once.
template <typename Strips>
void for_each_task(const TapList& list, int64_t blocks, int threads, const Strips& strips) {
  const int64_t phases = list.phases();
  const int64_t max_pixels = list.n * list.phase(0).pixels();
  const int64_t wanted = std::max(
      ceil_div(max_pixels, kTaskPixels),
      std::min(ceil_div(max_pixels, kMinTaskPixels), ceil_div(kMinTasks, phases * blocks)));
  const int64_t rows = direct_tile().rows;
  const int64_t units = std::max<int64_t>(1, wanted);
  parallel_for(threads, units * phases * blocks, [&](int64_t task) {
    const int64_t unit = task / (phases * blocks), phase = task / blocks % phases;
    const int64_t pixels = list.n * list.phase(phase).pixels();
    const int64_t strip_count = ceil_div(pixels, rows);
    const int64_t begin = strip_count * unit / units * rows;
    const int64_t end = std::min(strip_count * (unit + 1) / units * rows, pixels);
    if (begin < end) strips(phase, task % blocks, begin, end);
  });
}

}  // namespace

int64_t direct_packed_bytes(const TapList& list) {
  const int64_t lanes = direct_tile().lanes;
  const int64_t width = ceil_div(list.out.c, lanes) * lanes;
  return total_taps(list) * list.in.c * width * static_cast<int64_t>(sizeof(float));
}

void direct_pack(const TapList& list, ConvPass pass, const float* w, float* packed, int threads) {
  const DirectTile tile = direct_tile();
  const WeightView view(list, pass, w);
  const int64_t block_width = tile.lanes * tile.vectors, taps = total_taps(list);
  parallel_for(threads, ceil_div(list.out.c, block_width) * list.phases(), [&](int64_t task) {
    const int64_t first = task / list.phases() * block_width;
    const int64_t width =
        std::min(block_width, ceil_div(list.out.c - first, tile.lanes) * tile.lanes);
    const int64_t p = task % list.phases();
    int64_t taps_before = 0;
    for (int64_t q = 0; q < p; ++q) taps_before += list.phase(q).taps();
    const TapPhase phase = list.phase(p);
    float* to = packed + list.in.c * (taps * first + taps_before * width);
    for (int64_t t = 0; t < phase.taps(); ++t, to += list.in.c * width) {
      pack_tap(list, view, phase.tap(t), first, width, to);
    }
  });
}

int64_t direct_workspace_bytes(const TapList& list) {
  return prepare({.list = list}, nullptr, nullptr);
}

void direct_run(const ConvPassArgs& args, int threads) {
  DirectRun run;
  prepare(args, args.workspace, &run);
  const DirectTile tile = direct_tile();
  const int64_t blocks = ceil_div(args.list.out.c, tile.lanes * tile.vectors);
  if (args.list.kh * args.list.kw * args.list.in.c <= kMaxPatch) {
    for_each_task(args.list, 1, threads, [&](int64_t phase, int64_t, int64_t begin, int64_t end) {
      patch_strips(run, phase, begin, end);
    });
    return;
  }
  for_each_task(args.list, blocks, threads,
                [&](int64_t phase, int64_t block, int64_t begin, int64_t end) {
                  direct_strips(run, phase, block, begin, end);
                });
}

int64_t dot_packed_bytes(const TapList& list) {
  return total_taps(list) * list.out.c * list.in.c * static_cast<int64_t>(sizeof(float));
}

void dot_pack(const TapList& list, ConvPass pass, const float* w, float* packed, int /*threads*/) {
  const WeightView view(list, pass, w);
  for (int64_t p = 0; p < list.phases(); ++p) {
    const TapPhase phase = list.phase(p);
    for (int64_t t = 0; t < phase.taps(); ++t) {
      const Tap tap = phase.tap(t);
      const float* from = view.at(tap.ky, tap.kx);
      for (int64_t o = 0; o < list.out.c; ++o) {
        for (int64_t c = 0; c < list.in.c; ++c) {
          *packed++ = from[o * view.out_stride() + c * view.in_stride()];
        }
      }
    }
  }
}

void dot_run(const ConvPassArgs& args, int threads) {
  DirectRun run;
  prepare(args, args.workspace, &run);
  for_each_task(args.list, 1, threads, [&](int64_t phase, int64_t, int64_t begin, int64_t end) {
    dot_strips(run, phase, begin, end);
  });
}

}  // namespace ebb::cpu
