#pragma once

#include <cstdint>

#include "kernels/conv.h"
#include "kernels/cpu/conv_pass.h"
#include "kernels/cpu/conv_wgrad.h"

namespace ebb::cpu {

// Winograd's F(2x2, 3x3) for 3x3 kernels with stride 1 (Lavin & Gray 2016, arXiv 1509.09308): an
// output tile of 2x2 pixels costs 16 products per channel pair instead of 36,
//   Y = A' [(G g G') o (B' x B)] A      and for the weight gradient
//   dg = G' [sum over tiles of (A dY A') o (B' x B)] G.
// Sums are in.c long instead of 9 in.c, so results are at least as accurate as direct ones. Tiles
// are computed independently of each other: an image has the same bits in every batch.

// Both channel counts multiples of 16, and little waste by the odd sides of small images.
bool winograd_fits(const TapList& list);

// Packed weights: G g G' as [16][block][in.c][width], blocks as in conv_direct.h.
int64_t winograd_packed_bytes(const TapList& list);
void winograd_pack(const TapList& list, ConvPass pass, const float* w, float* packed, int threads);
int64_t winograd_workspace_bytes(const TapList& list, int threads);
void winograd_run(const ConvPassArgs& args, int threads);

int64_t winograd_wgrad_workspace_bytes(const ConvGeometry& geometry, int threads);
void winograd_wgrad_run(const ConvWgradArgs& args, int threads);

}  // namespace ebb::cpu
