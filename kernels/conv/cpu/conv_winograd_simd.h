#pragma once

#include <cstdint>

#include "kernels/conv/cpu/conv_pass.h"

// The parts of conv_winograd.h that are compiled for each instruction set.
namespace ebb::cpu {

// The tiles of all images in one list. With m = 3 either `in` or `out` is the larger image and a
// tile reads or writes pixels of each of its parities, two apart; else they are all of one parity.
struct WinogradTiles {
  TapList list;
  int64_t size;           // m: rows and columns of output pixels of a tile, per parity
  int64_t rows, columns;  // tiles of an image
  int64_t top, left;      // input coordinates of the first tile's corner, in its parity
  const float* zeros;     // [max(in.c, out.c)], read where a tile leaves the image

  int64_t count() const { return list.n * rows * columns; }
  int64_t taps() const { return size == 3 ? 2 : 3; }  // r: rows and columns
  int64_t side() const { return size + taps() - 1; }  // of an input tile
  int64_t parts() const { return side() * side(); }   // components of a transformed tile
  int64_t in_parities() const { return list.stride == 2 && !list.scatter ? 4 : 1; }
  int64_t out_parities() const { return list.stride == 2 && list.scatter ? 4 : 1; }
  int64_t in_channels() const { return in_parities() * list.in.c; }
  int64_t out_channels() const { return out_parities() * list.out.c; }
  // The kernel position of tap (ty, tx) of a parity.
  Tap tap(int64_t parity, int64_t ty, int64_t tx) const {
    const TapPhase phase = list.phase(list.scatter ? parity : 0);
    if (in_parities() == 1) return phase.tap(ty * phase.x.taps + tx);
    return phase.tap((2 * ty + parity / 2) * phase.x.taps + 2 * tx + parity % 2);
  }
};
WinogradTiles winograd_tiles(const TapList& list, int64_t size, const float* zeros);

struct WinogradRun {
  WinogradTiles tiles;
  const float* in;
  const void* packed;
  float* out;
  ConvEpilogue epilogue;  // bias is never null
  int64_t block_tiles;    // tiles of a call at most; a multiple of the tile rows

  // Floats of one component of the transformed input and of the products. One line more than the
  // data, or the components would share L1 sets.
  int64_t in_plane() const { return block_tiles * tiles.in_channels() + 16; }
  int64_t out_plane() const { return block_tiles * tiles.out_channels() + 16; }
  int64_t scratch_floats() const { return tiles.parts() * (in_plane() + out_plane()); }
  // The transformed input is in front.
  float* products(float* scratch) const { return scratch + tiles.parts() * in_plane(); }
};

// Tiles first..first+count-1, count <= block_tiles, by one thread.
void winograd_block(const WinogradRun& run, int64_t first, int64_t count, float* scratch);

// The same by several threads on one scratch, with weights as conv_direct.h packs them: all inputs,
// then all products, then all outputs. size is 2 or 4.
struct WinogradRange {
  int64_t begin, end;  // tiles of the block
};
struct WinogradTask {
  int64_t block;  // of output channels, as in conv_direct.h
  int64_t row;    // of components, 0..side-1
};
// Input channels whose filters are transformed together.
constexpr int64_t kFilterBlock = 256;
void winograd_inputs(const WinogradRun& run, int64_t first, WinogradRange tiles, float* scratch);
// filters: scratch of one thread, [side][kFilterBlock][width of a block]
void winograd_products(const WinogradRun& run, const WinogradTask& task, int64_t tiles,
                       float* scratch, float* filters);
void winograd_outputs(const WinogradRun& run, int64_t first, WinogradRange tiles,
                      const float* scratch);

struct WinogradWgradRun {
  WinogradTiles tiles;
  const float* in;
  const float* out;  // read at the output tiles
  int64_t block_tiles;
  int64_t width;           // channels of `out` of a register tile
  const int32_t* offsets;  // [block_tiles] of the tiles in a component

  int64_t in_pitch() const { return tiles.in_channels() + 16; }  // of a tile in a component
  int64_t in_plane() const { return block_tiles * in_pitch() + 16; }
  int64_t blocks() const { return (tiles.list.out.c + width - 1) / width; }
  int64_t out_plane() const { return blocks() * block_tiles * width + 16; }
  int64_t scratch_floats() const { return tiles.parts() * (in_plane() + out_plane()); }
  int64_t block_floats() const { return tiles.parts() * tiles.in_channels() * width; }
};
// Sets the width for the instruction set in use.
void set_winograd_wgrad_tile(WinogradWgradRun& run);

// Tiles begin..end-1 of out channel blocks first_block..last_block-1. Overwrites partial
// [block][parts][in channels][width] and, if not null, sums [blocks][width], the sums of
// `out` over pixels.
struct WinogradWgradTask {
  int64_t begin, end, first_block, last_block;
  float* partial;
  float* sums;
  float* scratch;
};
void winograd_wgrad_task(const WinogradWgradRun& run, const WinogradWgradTask& task);

}  // namespace ebb::cpu
