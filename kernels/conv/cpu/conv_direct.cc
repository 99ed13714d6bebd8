#include "kernels/conv/cpu/conv_direct.h"

#include <algorithm>
#include <vector>

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

// Short sums gather the input of a pixel; their few weights are f32.
bool gathers_patches(const TapList& list) { return list.kh * list.kw * list.in.c <= kMaxPatch; }

DType packed_dtype(const TapList& list) {
  return gathers_patches(list) ? DType::kF32 : list.weight_dtype;
}

bool widens(const TapList& list) { return packed_dtype(list) != DType::kF32; }

// Weights of a block and phase, at most.
int64_t slab_floats(const TapList& list) {
  const DirectTile tile = direct_tile();
  int64_t taps = 0;
  for (int64_t p = 0; p < list.phases(); ++p) taps = std::max(taps, list.phase(p).taps());
  return taps * list.in.c * tile.lanes * tile.vectors;
}

struct Workspace {
  PhaseTable* phases;
  float* zeros;
  float* bias;
  float* slabs;  // [threads][slab_floats] of weights that are widened

  Workspace(const TapList& list, int threads, WorkspaceCursor& cursor)
      : phases(cursor.take<PhaseTable>(list.phases())),
        zeros(cursor.take<float>(list.in.c)),
        bias(cursor.take<float>(ceil_div(list.out.c, kBiasPadding) * kBiasPadding)),
        slabs(cursor.take<float>(widens(list) ? threads * slab_floats(list) : 0)) {}
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
int64_t prepare(const ConvPassArgs& args, int threads, void* base, DirectRun* run,
                float** slabs = nullptr) {
  const TapList& list = args.list;
  WorkspaceCursor cursor(base);
  const Workspace space(list, threads, cursor);
  if (slabs != nullptr) *slabs = space.slabs;
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

// Output channels of a block, rounded up to whole vectors.
int64_t block_channels(const TapList& list, int64_t block) {
  const DirectTile tile = direct_tile();
  const int64_t width = tile.lanes * tile.vectors;
  return std::min(width, ceil_div(list.out.c - block * width, tile.lanes) * tile.lanes);
}

// First element of the weights of a phase and a block.
int64_t slab_offset(const TapList& list, int64_t total_taps, int64_t taps_before, int64_t block) {
  const DirectTile tile = direct_tile();
  const int64_t first = block * tile.lanes * tile.vectors;
  return list.in.c * (total_taps * first + taps_before * block_channels(list, block));
}

// The weights of a phase and a block for one thread, which often needs the same ones again.
class Slab {
 public:
  Slab(const DirectRun& run, float* scratch) : run_(run), scratch_(scratch) {}

  const float* of(int64_t phase, int64_t block) {
    const PhaseTable& table = run_.phases[phase];
    const int64_t offset = slab_offset(run_.list, run_.total_taps, table.taps_before, block);
    if (!widens(run_.list)) return static_cast<const float*>(run_.packed) + offset;
    if (phase != phase_ || block != block_) {
      const DType dtype = run_.list.weight_dtype;
      widen_weights(static_cast<const char*>(run_.packed) + offset * size_of(dtype), dtype,
                    table.phase.taps() * run_.list.in.c * block_channels(run_.list, block),
                    scratch_);
      phase_ = phase, block_ = block;
    }
    return scratch_;
  }

 private:
  const DirectRun& run_;
  float* scratch_;
  int64_t phase_ = -1, block_ = -1;
};

// Each thread gets its strips by make_strips(member) and calls strips(phase, block, begin, end), so
// that every grid point of every phase and block is covered once.
template <typename MakeStrips>
void for_each_task(const TapList& list, int64_t blocks, int threads,
                   const MakeStrips& make_strips) {
  const int64_t phases = list.phases();
  const int64_t max_pixels = list.n * list.phase(0).pixels();
  const int64_t wanted = std::max(
      ceil_div(max_pixels, kTaskPixels),
      std::min(ceil_div(max_pixels, kMinTaskPixels), ceil_div(kMinTasks, phases * blocks)));
  const int64_t rows = direct_tile().rows;
  const int64_t units = std::max<int64_t>(1, wanted), tasks = units * phases * blocks;
  const int64_t run = std::max<int64_t>(1, tasks / (16 * std::max(threads, 1)));
  with_team(threads, tasks, run, [&](TaskQueue& queue, int member) {
    auto strips = make_strips(member);
    for (int64_t task, last; queue.take(task, last);) {
      for (; task < last; ++task) {
        // Widened weights are used for all pixels, else pixels for all weights.
        const int64_t unit = widens(list) ? task % units : task / (phases * blocks);
        const int64_t block = widens(list) ? task / (units * phases) : task % blocks;
        const int64_t phase = task / (widens(list) ? units : blocks) % phases;
        const int64_t pixels = list.n * list.phase(phase).pixels();
        const int64_t strip_count = ceil_div(pixels, rows);
        const int64_t begin = strip_count * unit / units * rows;
        const int64_t end = std::min(strip_count * (unit + 1) / units * rows, pixels);
        if (begin < end) strips(phase, block, begin, end);
      }
    }
  });
}

}  // namespace

int64_t direct_packed_bytes(const TapList& list) {
  const int64_t lanes = direct_tile().lanes;
  const int64_t width = ceil_div(list.out.c, lanes) * lanes;
  return total_taps(list) * list.in.c * width * size_of(packed_dtype(list));
}

void direct_pack(const TapList& list, ConvPass pass, const float* w, void* packed, int threads) {
  const DirectTile tile = direct_tile();
  const WeightView view(list, pass, w);
  const int64_t full = tile.lanes * tile.vectors, taps = total_taps(list);
  parallel_for(threads, ceil_div(list.out.c, full) * list.phases(), [&](int64_t task) {
    const int64_t block = task / list.phases(), width = block_channels(list, block);
    const int64_t p = task % list.phases();
    int64_t taps_before = 0;
    for (int64_t q = 0; q < p; ++q) taps_before += list.phase(q).taps();
    const TapPhase phase = list.phase(p);
    const int64_t tap_floats = list.in.c * width;
    int64_t offset = slab_offset(list, taps, taps_before, block);
    std::vector<float> tap(widens(list) ? tap_floats : 0);
    for (int64_t t = 0; t < phase.taps(); ++t, offset += tap_floats) {
      float* to = widens(list) ? tap.data() : static_cast<float*>(packed) + offset;
      pack_tap(list, view, phase.tap(t), block * full, width, to);
      if (!widens(list)) continue;
      narrow_weights(to, tap_floats, list.weight_dtype,
                     static_cast<char*>(packed) + offset * size_of(packed_dtype(list)));
    }
  });
}

int64_t direct_workspace_bytes(const TapList& list, int threads) {
  return prepare({.list = list}, threads, nullptr, nullptr);
}

void direct_run(const ConvPassArgs& args, int threads) {
  DirectRun run;
  float* slabs = nullptr;
  prepare(args, threads, args.workspace, &run, &slabs);
  const DirectTile tile = direct_tile();
  const int64_t blocks = ceil_div(args.list.out.c, tile.lanes * tile.vectors);
  if (gathers_patches(args.list)) {
    for_each_task(args.list, 1, threads, [&](int) {
      return [&](int64_t phase, int64_t, int64_t begin, int64_t end) {
        patch_strips(run, phase, begin, end);
      };
    });
    return;
  }
  for_each_task(args.list, blocks, threads, [&](int member) {
    const int64_t floats = widens(args.list) ? slab_floats(args.list) : 0;
    return [&run, slab = Slab(run, slabs + member * floats)](int64_t phase, int64_t block,
                                                             int64_t begin, int64_t end) mutable {
      direct_strips(run, phase, block, begin, end, slab.of(phase, block));
    };
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
  prepare(args, threads, args.workspace, &run);
  for_each_task(args.list, 1, threads, [&](int) {
    return [&](int64_t phase, int64_t, int64_t begin, int64_t end) {
      dot_strips(run, phase, begin, end);
    };
  });
}

}  // namespace ebb::cpu
