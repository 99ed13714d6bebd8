#pragma once

#include "nn/network.h"

namespace ebb::test {

// A small UNet of today's kind: residual blocks with GroupNorm, SiLU and a scale and a shift by the
// time, attention of the pixels to one another, a feed-forward block, nearest upsampling. Its
// reference module in PyTorch is tests/golden/unet_attention.py: module names and parameters are
// the same. Inputs: "x" [8, 8, 3] and "t", a timestep. Not in the registry of networks.
Network unet_attention();

}  // namespace ebb::test
