#include "kernels/conv/cpu/conv_winograd.h"

#include <algorithm>
#include <array>

#include "kernels/conv/cpu/conv_direct.h"
#include "kernels/conv/cpu/conv_direct_simd.h"
#include "kernels/conv/cpu/conv_weights.h"
#include "kernels/conv/cpu/conv_winograd_simd.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/workspace.h"

namespace ebb::cpu {
namespace {

// Tiles of a block: transformed input, products and weights of a part stay in L2. Small batches use
// smaller blocks, so that there is one for each of kMinBlocks threads.
constexpr int64_t kBlockTiles = 24, kMinBlocks = 16;

// Each block reads all weights, in * out floats a part, and writes and reads in + out floats a part
// of each tile. With many channels the weights count for more, and blocks are as large as two for
// each thread allow: faster at a harmonic mean of 256 channels, slower at 192.
constexpr int64_t kManyChannels = 224, kManyChannelsTiles = 96;

// Channels whose filters are transformed together.
constexpr int64_t kFilterChannels = 16;

int64_t block_tiles(const WinogradTiles& tiles, int threads) {
  const int64_t in = tiles.in_channels(), out = tiles.out_channels();
  const bool many = 2 * in * out >= kManyChannels * (in + out);
  const int64_t blocks = many ? 2 * threads : kMinBlocks, rows = direct_tile().rows;
  const int64_t wanted = ceil_div(ceil_div(tiles.count(), blocks), rows) * rows;
  return std::min(wanted, many ? kManyChannelsTiles : kBlockTiles);
}

// Bytes of 3x3 kernels from which on they are transformed where they are used.
constexpr int64_t kMinTransformedBytes = int64_t{1} << 20;

// All threads then share a block, as large as kSharedFloats of scratch allow, but for
// kMinSharedTiles, so that few blocks transform the weights again.
constexpr int64_t kSharedFloats = int64_t{1} << 20, kMinSharedTiles = 96;

int64_t shared_block_tiles(const WinogradTiles& tiles) {
  const int64_t rows = direct_tile().rows, count = tiles.count();
  const int64_t floats = tiles.parts() * (tiles.in_channels() + tiles.out_channels());
  const int64_t most = std::max(kMinSharedTiles, kSharedFloats / floats);
  const int64_t blocks = ceil_div(count, most);
  return ceil_div(ceil_div(count, blocks), rows) * rows;
}

int64_t filter_floats(const WinogradTiles& tiles) {
  const DirectTile tile = direct_tile();
  return tiles.side() * kFilterBlock * tile.lanes * tile.vectors;
}

struct Workspace {
  float* zeros;
  float* scratch;  // [threads][scratch_floats], of one thread where blocks are shared
  float* filters;  // [threads][filter_floats] where blocks are shared
  int64_t bytes;

  Workspace(const WinogradRun& run, int threads, void* base) {
    const TapList& list = run.tiles.list;
    const bool shares = winograd_transforms_in_use(list, run.tiles.size);
    WorkspaceCursor cursor(base);
    zeros = cursor.take<float>(std::max(list.in.c, list.out.c));
    scratch = cursor.take<float>((shares ? 1 : threads) * run.scratch_floats());
    filters = cursor.take<float>(shares ? threads * filter_floats(run.tiles) : 0);
    bytes = cursor.bytes();
  }
};

WinogradRun make_run(const TapList& list, int64_t size, int threads) {
  WinogradRun run = {};
  run.tiles = winograd_tiles(list, size, nullptr);
  run.block_tiles = winograd_transforms_in_use(list, size) ? shared_block_tiles(run.tiles)
                                                           : block_tiles(run.tiles, threads);
  return run;
}

// Blocks one after the other, each by all threads.
void run_shared_blocks(const WinogradRun& run, const Workspace& space, int threads) {
  constexpr int64_t kRangeTiles = 4;  // of a task
  const DirectTile tile = direct_tile();
  const int64_t rows = run.tiles.side(), count = run.tiles.count();
  const int64_t tasks = rows * ceil_div(run.tiles.out_channels(), tile.lanes * tile.vectors);
  float* scratch = space.scratch;
  for (int64_t first = 0; first < count; first += run.block_tiles) {
    const int64_t tiles = std::min(run.block_tiles, count - first);
    const int64_t ranges = ceil_div(tiles, kRangeTiles);
    const auto range = [&](int64_t i) {
      return WinogradRange{i * kRangeTiles, std::min((i + 1) * kRangeTiles, tiles)};
    };
    parallel_for(threads, ranges,
                 [&](int64_t i) { winograd_inputs(run, first, range(i), scratch); });
    with_team(threads, tasks, 1, [&](TaskQueue& queue, int member) {
      float* filters = space.filters + member * filter_floats(run.tiles);
      for (int64_t task, last; queue.take(task, last);) {
        winograd_products(run, {task / rows, task % rows}, tiles, scratch, filters);
      }
    });
    parallel_for(threads, ranges,
                 [&](int64_t i) { winograd_outputs(run, first, range(i), scratch); });
  }
}

// Filters of kFilterChannels input channels: value [channel] of each kernel position or part.
using FilterLanes = std::array<double, kFilterChannels>;

// G g for one column of three taps: components of tiles of 2x2 pixels.
void transform_column(const FilterLanes (&g)[3], FilterLanes (&to)[4]) {
  for (int64_t c = 0; c < kFilterChannels; ++c) {
    const double outer = 0.5 * (g[0][c] + g[2][c]), inner = 0.5 * g[1][c];
    to[0][c] = g[0][c];
    to[1][c] = outer + inner;
    to[2][c] = outer - inner;
    to[3][c] = g[2][c];
  }
}

// Two taps, tiles of 3x3 pixels.
void transform_column(const FilterLanes (&g)[2], FilterLanes (&to)[4]) {
  for (int64_t c = 0; c < kFilterChannels; ++c) {
    to[0][c] = g[0][c];
    to[1][c] = 0.5 * (g[0][c] + g[1][c]);
    to[2][c] = 0.5 * (g[0][c] - g[1][c]);
    to[3][c] = g[1][c];
  }
}

// Three taps, tiles of 4x4 pixels.
void transform_column(const FilterLanes (&g)[3], FilterLanes (&to)[6]) {
  for (int64_t c = 0; c < kFilterChannels; ++c) {
    const double outer1 = (g[0][c] + g[2][c]) / -6, inner1 = g[1][c] / -6;
    const double outer2 = g[0][c] / 24 + g[2][c] / 6, inner2 = g[1][c] / 12;
    to[0][c] = g[0][c] / 4;
    to[1][c] = outer1 + inner1;
    to[2][c] = outer1 - inner1;
    to[3][c] = outer2 + inner2;
    to[4][c] = outer2 - inner2;
    to[5][c] = g[2][c];
  }
}

// part[i][j] = (G g G')[i][j]
template <int kTaps, int kSide>
void transform_filters(const FilterLanes (&g)[kTaps][kTaps], FilterLanes (&part)[kSide][kSide]) {
  FilterLanes half[kSide][kTaps];
  for (int x = 0; x < kTaps; ++x) {
    FilterLanes column[kTaps], t[kSide];
    for (int y = 0; y < kTaps; ++y) column[y] = g[y][x];
    transform_column(column, t);
    for (int i = 0; i < kSide; ++i) half[i][x] = t[i];
  }
  for (int i = 0; i < kSide; ++i) transform_column(half[i], part[i]);
}

// g[y][x] belongs to input offset (y, x) of the tile. Channels are counted over parities.
template <int kTaps>
void load_filters(const WeightView& view, const WinogradTiles& tiles, int64_t out, int64_t first_in,
                  FilterLanes (&g)[kTaps][kTaps]) {
  const int64_t in_c = tiles.list.in.c, out_c = tiles.list.out.c;
  for (int y = 0; y < kTaps; ++y) {
    for (int x = 0; x < kTaps; ++x) {
      const Tap tap = tiles.tap(out / out_c + first_in / in_c, y, x);
      const float* from = view.at(tap.ky, tap.kx) + out % out_c * view.out_stride() +
                          first_in % in_c * view.in_stride();
      for (int64_t c = 0; c < kFilterChannels; ++c) g[y][x][c] = from[c * view.in_stride()];
    }
  }
}

template <int kTaps, int kSide>
void pack_filters(const WinogradTiles& tiles, ConvPass pass, const float* w, float* packed,
                  int threads) {
  const WeightView view(tiles.list, pass, w);
  const DirectTile tile = direct_tile();
  const int64_t in_c = tiles.in_channels(), out_c = tiles.out_channels();
  const int64_t full = tile.lanes * tile.vectors;
  const int64_t groups = in_c / kFilterChannels;
  parallel_for(threads, ceil_div(out_c, full) * groups, [&](int64_t task) {
    const int64_t first = task / groups * full, width = std::min(full, out_c - first);
    const int64_t c_begin = task % groups * kFilterChannels;
    for (int64_t j = 0; j < width; ++j) {
      FilterLanes g[kTaps][kTaps], part[kSide][kSide];
      load_filters(view, tiles, first + j, c_begin, g);
      transform_filters(g, part);
      for (int64_t k = 0; k < kSide * kSide; ++k) {
        float* to = packed + (k * out_c + first) * in_c + c_begin * width + j;
        for (int64_t c = 0; c < kFilterChannels; ++c) {
          to[c * width] = static_cast<float>(part[k / kSide][k % kSide][c]);
        }
      }
    }
  });
}

// The tiles along one axis whose first and second phase are given: a tile reads input from
// first + size * index on, and the phases' grid points start where their inputs do.
struct AxisTiles {
  int64_t first, count;

  AxisTiles(const TapAxis& a, const TapAxis& b, int64_t size)
      : first(std::min(a.in_first, b.in_first)),
        count(ceil_div(std::max(a.grid + a.in_first, b.grid + b.in_first) - first, size)) {}
};

}  // namespace

WinogradTiles winograd_tiles(const TapList& list, int64_t size, const float* zeros) {
  const TapPhase phase = list.phase(0), last = list.phase(list.phases() - 1);
  const AxisTiles y(phase.y, last.y, size), x(phase.x, last.x, size);
  return {.list = list,
          .size = size,
          .rows = y.count,
          .columns = x.count,
          .top = y.first,
          .left = x.first,
          .zeros = zeros};
}

double winograd_saving(const TapList& list, int64_t size) {
  const int64_t kernel = size == 3 ? 4 : 3, stride = size == 3 ? 2 : 1;
  if (list.kh != kernel || list.kw != kernel || list.stride != stride) return 0;
  if (list.in.c % 16 != 0 || list.out.c % 16 != 0) return 0;
  const WinogradTiles tiles = winograd_tiles(list, size, nullptr);
  int64_t products = 0;
  for (int64_t p = 0; p < list.phases(); ++p) {
    products += list.phase(p).pixels() * list.phase(p).taps();
  }
  return static_cast<double>(products) /
         static_cast<double>(tiles.rows * tiles.columns * tiles.parts() * tiles.in_parities() *
                             tiles.out_parities());
}

int64_t winograd_image_tiles(const TapList& list, int64_t size) {
  const WinogradTiles tiles = winograd_tiles(list, size, nullptr);
  return tiles.rows * tiles.columns;
}

int64_t winograd_parts_bytes(const TapList& list, int64_t size) {
  const WinogradTiles tiles = winograd_tiles(list, size, nullptr);
  return tiles.parts() * tiles.in_channels() * tiles.out_channels() *
         static_cast<int64_t>(sizeof(float));
}

bool winograd_transforms_in_use(const TapList& list, int64_t size) {
  const int64_t kernels = list.in.c * list.out.c;
  return size != 3 && 9 * kernels * static_cast<int64_t>(sizeof(float)) >= kMinTransformedBytes;
}

int64_t winograd_packed_bytes(const TapList& list, int64_t size) {
  return winograd_transforms_in_use(list, size) ? direct_packed_bytes(list)
                                                : winograd_parts_bytes(list, size);
}

void winograd_pack(const TapList& list, ConvPass pass, int64_t size, const float* w, void* packed,
                   int threads) {
  if (winograd_transforms_in_use(list, size)) return direct_pack(list, pass, w, packed, threads);
  const WinogradTiles tiles = winograd_tiles(list, size, nullptr);
  float* to = static_cast<float*>(packed);
  if (size == 4) return pack_filters<3, 6>(tiles, pass, w, to, threads);
  if (size == 3) return pack_filters<2, 4>(tiles, pass, w, to, threads);
  pack_filters<3, 4>(tiles, pass, w, to, threads);
}

int64_t winograd_workspace_bytes(const TapList& list, int64_t size, int threads) {
  return Workspace(make_run(list, size, threads), threads, nullptr).bytes;
}

void winograd_run(const ConvPassArgs& args, int64_t size, int threads) {
  WinogradRun run = make_run(args.list, size, threads);
  const Workspace space(run, threads, args.workspace);
  std::fill_n(space.zeros, std::max(args.list.in.c, args.list.out.c), 0.0f);
  run.tiles.zeros = space.zeros;
  run.in = args.in;
  run.packed = args.packed;
  run.out = args.out;
  run.epilogue = args.epilogue;
  if (run.epilogue.bias == nullptr) run.epilogue.bias = space.zeros;
  if (winograd_transforms_in_use(args.list, size)) return run_shared_blocks(run, space, threads);
  const int64_t tiles = run.tiles.count(), blocks = ceil_div(tiles, run.block_tiles);
  with_team(threads, blocks, 1, [&](TaskQueue& queue, int member) {
    float* scratch = space.scratch + member * run.scratch_floats();
    for (int64_t block, last; queue.take(block, last);) {
      const int64_t first = block * run.block_tiles;
      winograd_block(run, first, std::min(run.block_tiles, tiles - first), scratch);
    }
  });
}

}  // namespace ebb::cpu
