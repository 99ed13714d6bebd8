#pragma once

#include <cstdint>

#include "kernels/cpu/conv_pass.h"

// The parts of conv_winograd.h that are compiled for each instruction set.
namespace ebb::cpu {

// The tiles of all images in one list.
struct WinogradTiles {
  TapList list;
  int64_t size;           // rows and columns of output pixels of a tile: 2 or 4
  int64_t rows, columns;  // tiles of an image
  int64_t top, left;      // input coordinates of the first tile's corner
  const float* zeros;     // [max(in.c, out.c)], read where a tile leaves the image

  int64_t count() const { return list.n * rows * columns; }
  int64_t side() const { return size + 2; }          // of an input tile
  int64_t parts() const { return side() * side(); }  // components of a transformed tile
};
WinogradTiles winograd_tiles(const TapList& list, int64_t size, const float* zeros);

struct WinogradRun {
  WinogradTiles tiles;
  const float* in;
  const float* packed;
  float* out;
  ConvEpilogue epilogue;  // bias is never null
  int64_t block_tiles;    // tiles of a call at most; a multiple of the tile rows

  // Floats of one component of the transformed input and of the products. One line more than the
  // data, or the components would share L1 sets.
  int64_t in_plane() const { return block_tiles * tiles.list.in.c + 16; }
  int64_t out_plane() const { return block_tiles * tiles.list.out.c + 16; }
  int64_t scratch_floats() const { return tiles.parts() * (in_plane() + out_plane()); }
};

// Tiles first..first+count-1, count <= block_tiles.
void winograd_block(const WinogradRun& run, int64_t first, int64_t count, float* scratch);

struct WinogradWgradRun {
  WinogradTiles tiles;
  const float* in;
  const float* out;  // read at the output tiles
  int64_t block_tiles;
  int64_t width;           // channels of `out` of a register tile
  const int32_t* offsets;  // [block_tiles] of the tiles in a component

  int64_t in_pitch() const { return tiles.list.in.c + 16; }  // of a tile in a component
  int64_t in_plane() const { return block_tiles * in_pitch() + 16; }
  int64_t blocks() const { return (tiles.list.out.c + width - 1) / width; }
  int64_t out_plane() const { return blocks() * block_tiles * width + 16; }
  int64_t scratch_floats() const { return tiles.parts() * (in_plane() + out_plane()); }
  int64_t block_floats() const { return tiles.parts() * tiles.list.in.c * width; }
};
// Sets the width for the instruction set in use.
void set_winograd_wgrad_tile(WinogradWgradRun& run);

// Tiles begin..end-1 of out channel blocks first_block..last_block-1. Overwrites partial
// [block][parts][in.c][width] and, if not null, sums [blocks][width], the sums of
// `out` over pixels.
struct WinogradWgradTask {
  int64_t begin, end, first_block, last_block;
  float* partial;
  float* sums;
  float* scratch;
};
void winograd_wgrad_task(const WinogradWgradRun& run, const WinogradWgradTask& task);

}  // namespace ebb::cpu
