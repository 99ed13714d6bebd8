#pragma once

#include "kernels/conv.h"

namespace ebb::cpu {

// How a pass is computed.
//   kDirect    register tiles over the tap list; any shape (conv_direct.h, conv_wgrad.h)
//   kDot       forward and backward input with one or two output channels (conv_direct.h)
//   kWinograd  3x3 with stride 1 (conv_winograd.h)
enum class ConvAlgorithm { kDirect, kDot, kWinograd };

enum class ConvAlgorithms { kDefault, kDirectOnly };

// Restricts the choice for the whole process; packed weights made before the call are not valid
// after it. For tests and measurements, not while kernels run.
void set_conv_algorithms(ConvAlgorithms algorithms);

// The only place where an algorithm is chosen. Never depends on geometry.n, because packed weights
// serve every batch size.
ConvAlgorithm conv_algorithm(const ConvGeometry& geometry, ConvPass pass);

}  // namespace ebb::cpu
