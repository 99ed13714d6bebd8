#pragma once

#include <cstdint>

#include "kernels/conv/conv.h"
#include "kernels/conv/cpu/conv_pass.h"

namespace ebb::cpu {

// Forward and backward input straight from the tap list. A strip of output pixels times a block of
// output channels is summed in registers over taps and input channels, in that order for every
// pixel, so an output value does not depend on its place in a strip or a batch. Pixels outside the
// input are read from a line of zeros. Short sums, of few input channels, gather the input of a
// pixel once for all blocks.
//
// Packed weights: [block][phase][tap][in.c][width], width = channels of the block rounded up to
// whole vectors, padded with zeros, in the list's weight_dtype. Types of 16 bits are widened a
// block at a time.
int64_t direct_packed_bytes(const TapList& list);
void direct_pack(const TapList& list, ConvPass pass, const float* w, void* packed, int threads);
int64_t direct_workspace_bytes(const TapList& list, int threads);
void direct_run(const ConvPassArgs& args, int threads);

// The same for one or two output channels and in.c a multiple of 16: vectors run over input
// channels, weights are [phase][tap][out.c][in.c].
int64_t dot_packed_bytes(const TapList& list);
void dot_pack(const TapList& list, ConvPass pass, const float* w, float* packed, int threads);
void dot_run(const ConvPassArgs& args, int threads);

}  // namespace ebb::cpu
