#pragma once

#include <cstdint>

#include "kernels/conv/cpu/conv_pass.h"

// The parts of conv_direct.h that are compiled for each instruction set.
namespace ebb::cpu {

// Input offsets of one phase in elements, -1 outside the image: the pixel of grid point (gy, gx)
// and tap (ty, tx) is at y[gy * taps_y + ty] + x[gx * taps_x + tx] of its image.
struct PhaseTable {
  TapPhase phase;
  const int64_t* y;
  const int64_t* x;
  int64_t taps_before;  // in earlier phases
};

struct DirectRun {
  TapList list;
  const PhaseTable* phases;
  int64_t total_taps;  // of all phases
  const float* in;
  const void* packed;
  float* out;
  const float* zeros;     // [in.c]
  ConvEpilogue epilogue;  // bias is padded to whole blocks and never null
};

// Register tile of the instruction set in use.
struct DirectTile {
  int64_t rows;     // pixels of a strip
  int64_t lanes;    // output channels of a vector
  int64_t vectors;  // of a full block
};
DirectTile direct_tile();

// Grid points begin..end-1 of the phase, counted over all images, for one block of output channels,
// whose weights are w [tap][in.c][width].
void direct_strips(const DirectRun& run, int64_t phase, int64_t block, int64_t begin, int64_t end,
                   const float* w);

// Packed weights between f32 and a type of 16 bits. `count` is a multiple of the tile's lanes, and
// pointers are aligned to its vectors.
void narrow_weights(const float* from, int64_t count, DType dtype, void* to);
void widen_weights(const void* from, DType dtype, int64_t count, float* to);

// The same for all blocks, where a sum has at most kMaxPatch products: first gathers the input of
// each pixel, which for so short sums is most of the work.
inline constexpr int64_t kMaxPatch = 32;
void patch_strips(const DirectRun& run, int64_t phase, int64_t begin, int64_t end);

// The same for all (one or two) output channels with weights [phase][tap][out.c][in.c].
void dot_strips(const DirectRun& run, int64_t phase, int64_t begin, int64_t end);

}  // namespace ebb::cpu
