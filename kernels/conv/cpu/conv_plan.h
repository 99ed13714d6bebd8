#pragma once

#include "kernels/conv/conv.h"

namespace ebb::cpu {

// Algorithm of a pass.
//   kDirect    register tiles over the tap list; any shape (conv_direct.h, conv_wgrad.h), for sums
//              of at most kMaxPatch products on gathered pixels
//   kDot       forward and backward input with one or two output channels (conv_direct.h)
//   kWinograd2 3x3 with stride 1 by tiles of 2x2 pixels (conv_winograd.h)
//   kWinograd3 4x4 with stride 2 by tiles of 3x3 pixels of each parity
//   kWinograd4 3x3 with stride 1 by tiles of 4x4
enum class ConvAlgorithm { kDirect, kDot, kWinograd2, kWinograd3, kWinograd4 };

// Output pixels of a tile in each direction, 0 for the others.
constexpr int64_t winograd_size(ConvAlgorithm algorithm) {
  switch (algorithm) {
    case ConvAlgorithm::kWinograd2:
      return 2;
    case ConvAlgorithm::kWinograd3:
      return 3;
    case ConvAlgorithm::kWinograd4:
      return 4;
    default:
      return 0;
  }
}

// The only place where an algorithm is chosen, kDirect always without math.winograd. Never depends
// on geometry.n, because packed weights serve every batch size.
ConvAlgorithm conv_algorithm(const ConvGeometry& geometry, ConvPass pass, const ConvMath& math);

}  // namespace ebb::cpu
