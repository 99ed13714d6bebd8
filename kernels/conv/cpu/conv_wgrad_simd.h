#pragma once

#include <cstdint>

#include "kernels/conv/tap_list.h"

// The parts of conv_wgrad.h that are compiled for each instruction set.
namespace ebb::cpu {

// Register tile: `taps` taps x `channels` channels of the operand read through the taps x `vectors`
// vectors of `lanes` channels of the operand read at the grid points.
struct WgradTile {
  int64_t taps, channels, vectors, lanes;

  int64_t rows() const { return taps * channels; }
  int64_t width() const { return vectors * lanes; }
  int64_t floats() const { return rows() * width(); }
};
WgradTile wgrad_tile(int64_t taps, int64_t in_channels);

// Channels of a plane of the padded copy: the pixels of one tile are contiguous in it.
inline constexpr int64_t kWgradPlane = 16;

struct WgradRun {
  TapList list;  // in: read through the taps, out: read at the grid points
  TapPhase phase;
  WgradTile tile;
  const float* in;
  const float* out;
  int64_t unit_images;         // images summed per pass over the partial gradient
  int64_t chunk;               // grid points whose `out` vectors stay in L1
  int64_t padded_h, padded_w;  // rows and columns that the taps can reach
  int64_t top, left;           // input coordinates of padded pixel (0, 0)
  const int32_t* offsets;      // [unit_images * phase.pixels()] floats into a plane
  const int32_t* tap_offsets;  // [phase.taps()] floats, in the order of tap()

  // Tap number t of the gradient's layout. Where it can be, the taps of a register tile lie a
  // stride apart: they then read the same pixels, for neighboring grid points.
  Tap tap(int64_t t) const {
    const int64_t step = phase.x.in_step, run_length = tile.taps * step;
    if (phase.x.taps % run_length != 0) return phase.tap(t);
    const int64_t in_run = t % run_length;
    return phase.tap(t - in_run + in_run % tile.taps * step + in_run / tile.taps);
  }
  int64_t in_tiles() const { return (list.in.c + tile.channels - 1) / tile.channels; }
  int64_t blocks() const { return (list.out.c + tile.width() - 1) / tile.width(); }
  int64_t block_floats() const {  // partial gradient of one block of out channels
    return phase.taps() / tile.taps * in_tiles() * tile.floats();
  }
  int64_t plane_floats() const {  // one line more, or the planes would share L1 sets
    return unit_images * padded_h * padded_w * kWgradPlane + 16;
  }
  int64_t planes() const { return (list.in.c + kWgradPlane - 1) / kWgradPlane; }
};

// One split: images begin..end-1, out channel blocks first_block..last_block-1. Overwrites
// partial [block][tap group][in tile][tile rows][width] of these blocks and, if not null, sums
// [blocks][width], the sums of `out` over pixels. padded ([planes][plane]) holds zeros where no
// input pixel belongs; packed is [chunk][width].
struct WgradTask {
  int64_t begin, end, first_block, last_block;
  float* partial;
  float* sums;
  float* padded;
  float* packed;
};
void wgrad_task(const WgradRun& run, const WgradTask& task);

}  // namespace ebb::cpu
