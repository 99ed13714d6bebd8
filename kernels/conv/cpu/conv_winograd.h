#pragma once

#include <cstdint>

#include "kernels/conv/conv.h"
#include "kernels/conv/cpu/conv_pass.h"
#include "kernels/conv/cpu/conv_wgrad.h"

namespace ebb::cpu {

// Winograd's F(m x m, r x r) (Lavin & Gray 2016, arXiv 1509.09308): an output tile of m x m pixels
// and r x r taps costs (m + r - 1)^2 products per channel pair instead of m^2 r^2,
//   Y = A' [(G g G') o (B' x B)] A      and for the weight gradient
//   dg = G' [sum over tiles of (A dY A') o (B' x B)] G.
// m = 2 and m = 4 are for 3x3 kernels with stride 1. m = 3 is for 4x4 kernels with stride 2: rows
// and columns of the larger image fall into even and odd ones, and each of these four parities is a
// convolution with 2x2 taps. Passes that write the larger image transform an input tile once for
// all parities; passes that read it add up the parities' products like channels.
//
// Sums are shorter than direct ones, so with m < 4 results are at least as accurate. With m = 4 the
// transforms multiply rounding: errors are about five times the direct ones. Tiles are computed
// independently of each other: an image has the same bits in every batch.

// Products of a direct convolution per product of the tiles, with their waste at ragged sides; 0
// where the tiles do not fit (both channel counts must be multiples of 16). size is m.
double winograd_saving(const TapList& list, int64_t size);

// Tiles of one image.
int64_t winograd_image_tiles(const TapList& list, int64_t size);

// G g G' of all weights in f32.
int64_t winograd_parts_bytes(const TapList& list, int64_t size);

// Transformed weights that do not stay in a cache from step to step cost more to read than to make.
// Large 3x3 kernels are therefore packed as conv_direct.h does and transformed a block at a time,
// where they are used.
bool winograd_transforms_in_use(const TapList& list, int64_t size);

// Packed weights: G g G' as [parts][block][in channels][width], blocks as in conv_direct.h,
// channels counted over parities; or as in conv_direct.h.
int64_t winograd_packed_bytes(const TapList& list, int64_t size);
void winograd_pack(const TapList& list, ConvPass pass, int64_t size, const float* w, void* packed,
                   int threads);
int64_t winograd_workspace_bytes(const TapList& list, int64_t size, int threads);
void winograd_run(const ConvPassArgs& args, int64_t size, int threads);

int64_t winograd_wgrad_workspace_bytes(const ConvGeometry& geometry, int64_t size, int threads);
void winograd_wgrad_run(const ConvWgradArgs& args, int64_t size, int threads);

}  // namespace ebb::cpu
