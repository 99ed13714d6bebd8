#pragma once

#include <cstdint>

#include "kernels/conv.h"
#include "kernels/cpu/conv_pass.h"
#include "kernels/cpu/conv_wgrad.h"

namespace ebb::cpu {

// Winograd's F(m x m, 3x3) for 3x3 kernels with stride 1 (Lavin & Gray 2016, arXiv 1509.09308): an
// output tile of m x m pixels costs (m+2)^2 products per channel pair instead of 9 m^2,
//   Y = A' [(G g G') o (B' x B)] A      and for the weight gradient, with m = 2,
//   dg = G' [sum over tiles of (A dY A') o (B' x B)] G.
// Sums are in.c long instead of 9 in.c, so with m = 2 results are at least as accurate as direct
// ones. With m = 4 the transforms multiply rounding: errors are about five times the direct ones.
// Tiles are computed independently of each other: an image has the same bits in every batch.

// Products of a direct convolution per product of the tiles, with their waste at odd sides; 0 where
// the tiles do not fit (both channel counts must be multiples of 16). size is m.
double winograd_saving(const TapList& list, int64_t size);

// Packed weights: G g G' as [parts][block][in.c][width], blocks as in conv_direct.h.
int64_t winograd_packed_bytes(const TapList& list, int64_t size);
void winograd_pack(const TapList& list, ConvPass pass, int64_t size, const float* w, float* packed,
                   int threads);
int64_t winograd_workspace_bytes(const TapList& list, int64_t size, int threads);
void winograd_run(const ConvPassArgs& args, int64_t size, int threads);

int64_t winograd_wgrad_workspace_bytes(const ConvGeometry& geometry, int threads);
void winograd_wgrad_run(const ConvWgradArgs& args, int threads);

}  // namespace ebb::cpu
