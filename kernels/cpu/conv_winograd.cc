#include "kernels/cpu/conv_winograd.h"

#include <omp.h>

#include <algorithm>
#include <array>

#include "kernels/cpu/conv_direct_simd.h"
#include "kernels/cpu/conv_weights.h"
#include "kernels/cpu/conv_winograd_simd.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/workspace.h"

namespace ebb::cpu {
namespace {

// Tiles of a block: transformed input, products and weights of a part stay in L2. Small batches use
// smaller blocks, so that there is one for each of kMinBlocks threads.
constexpr int64_t kBlockTiles = 24, kMinBlocks = 16;

// Channels whose filters are transformed together.
constexpr int64_t kFilterChannels = 16;

int64_t block_tiles(int64_t tiles) {
  const int64_t rows = direct_tile().rows;
  const int64_t wanted = ceil_div(ceil_div(tiles, kMinBlocks), rows) * rows;
  return std::min(wanted, kBlockTiles);
}

struct Workspace {
  float* zeros;
  float* scratch;  // [threads][scratch_floats]
  int64_t bytes;

  Workspace(const WinogradRun& run, int threads, void* base) {
    const TapList& list = run.tiles.list;
    WorkspaceCursor cursor(base);
    zeros = cursor.take<float>(std::max(list.in.c, list.out.c));
    scratch = cursor.take<float>(threads * run.scratch_floats());
    bytes = cursor.bytes();
  }
};

WinogradRun make_run(const TapList& list) {
  WinogradRun run = {};
  run.tiles = winograd_tiles(list, nullptr);
  run.block_tiles = block_tiles(run.tiles.count());
  return run;
}

// Filters of kFilterChannels input channels: value [channel] of each kernel position or part.
using FilterLanes = std::array<double, kFilterChannels>;

// G g for one column.
void transform_column(const FilterLanes (&g)[3], FilterLanes (&to)[4]) {
  for (int64_t c = 0; c < kFilterChannels; ++c) {
    const double outer = 0.5 * (g[0][c] + g[2][c]), inner = 0.5 * g[1][c];
    to[0][c] = g[0][c];
    to[1][c] = outer + inner;
    to[2][c] = outer - inner;
    to[3][c] = g[2][c];
  }
}

// part[i][j] = (G g G')[i][j]
void transform_filters(const FilterLanes (&g)[3][3], FilterLanes (&part)[4][4]) {
  FilterLanes half[4][3];
  for (int x = 0; x < 3; ++x) {
    const FilterLanes column[3] = {g[0][x], g[1][x], g[2][x]};
    FilterLanes t[4];
    transform_column(column, t);
    for (int i = 0; i < 4; ++i) half[i][x] = t[i];
  }
  for (int i = 0; i < 4; ++i) transform_column(half[i], part[i]);
}

// g[y][x] belongs to input offset (y, x) of the tile.
void load_filters(const WeightView& view, const TapPhase& phase, int64_t out, int64_t first_in,
                  FilterLanes (&g)[3][3]) {
  for (int64_t t = 0; t < 9; ++t) {
    const Tap tap = phase.tap(t);
    const float* from =
        view.at(tap.ky, tap.kx) + out * view.out_stride() + first_in * view.in_stride();
    FilterLanes& to = g[t / 3][t % 3];
    for (int64_t c = 0; c < kFilterChannels; ++c) to[c] = from[c * view.in_stride()];
  }
}

}  // namespace

WinogradTiles winograd_tiles(const TapList& list, const float* zeros) {
  const TapPhase phase = list.phase(0);
  return {.list = list,
          .rows = ceil_div(list.out.h, 2),
          .columns = ceil_div(list.out.w, 2),
          .top = phase.y.in_first,
          .left = phase.x.in_first,
          .zeros = zeros};
}

bool winograd_fits(const TapList& list) {
  if (list.kh != 3 || list.kw != 3 || list.stride != 1) return false;
  if (list.in.c % 16 != 0 || list.out.c % 16 != 0) return false;
  // Products saved by the tiles, 36 / 16, times pixels used of those computed.
  const int64_t computed = ceil_div(list.out.h, 2) * ceil_div(list.out.w, 2) * 4;
  const double saved =
      36.0 / 16.0 * static_cast<double>(list.out.h * list.out.w) / static_cast<double>(computed);
  return saved >= 1.6;
}

int64_t winograd_packed_bytes(const TapList& list) {
  return kWinogradParts * list.in.c * list.out.c * static_cast<int64_t>(sizeof(float));
}

void winograd_pack(const TapList& list, ConvPass pass, const float* w, float* packed, int threads) {
  const WeightView view(list, pass, w);
  const TapPhase phase = list.phase(0);
  const DirectTile tile = direct_tile();
  const int64_t in_c = list.in.c, out_c = list.out.c, full = tile.lanes * tile.vectors;
  const int64_t groups = in_c / kFilterChannels;
  parallel_for(threads, ceil_div(out_c, full) * groups, [&](int64_t task) {
    const int64_t first = task / groups * full, width = std::min(full, out_c - first);
    const int64_t c_begin = task % groups * kFilterChannels;
    for (int64_t j = 0; j < width; ++j) {
      FilterLanes g[3][3], part[4][4];
      load_filters(view, phase, first + j, c_begin, g);
      transform_filters(g, part);
      for (int64_t k = 0; k < kWinogradParts; ++k) {
        float* to = packed + (k * out_c + first) * in_c + c_begin * width + j;
        for (int64_t c = 0; c < kFilterChannels; ++c) {
          to[c * width] = static_cast<float>(part[k / 4][k % 4][c]);
        }
      }
    }
  });
}

int64_t winograd_workspace_bytes(const TapList& list, int threads) {
  return Workspace(make_run(list), threads, nullptr).bytes;
}

void winograd_run(const ConvPassArgs& args, int threads) {
  WinogradRun run = make_run(args.list);
  const Workspace space(run, threads, args.workspace);
  std::fill_n(space.zeros, std::max(args.list.in.c, args.list.out.c), 0.0f);
  run.tiles.zeros = space.zeros;
  run.in = args.in;
  run.packed = args.packed;
  run.out = args.out;
  run.epilogue = args.epilogue;
  if (run.epilogue.bias == nullptr) run.epilogue.bias = space.zeros;
  const int64_t tiles = run.tiles.count(), blocks = ceil_div(tiles, run.block_tiles);
#pragma omp parallel num_threads(threads)
  {
    float* scratch = space.scratch + omp_get_thread_num() * run.scratch_floats();
#pragma omp for schedule(static)
    for (int64_t block = 0; block < blocks; ++block) {
      const int64_t first = block * run.block_tiles;
      winograd_block(run, first, std::min(run.block_tiles, tiles - first), scratch);
    }
  }
}

}  // namespace ebb::cpu
