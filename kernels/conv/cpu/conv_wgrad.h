#pragma once

#include <cstdint>

#include "kernels/conv/conv.h"

namespace ebb::cpu {

struct ConvWgradArgs {
  ConvGeometry geometry;
  const float* x;
  const float* dy;
  float* dw;  // [O, KH, KW, C]
  float* db;  // [O] or null
  void* workspace;
};

// The weight gradient by register tiles of taps x channels of one operand x a vector of channels of
// the other, summed over pixels. Images are cut into a fixed number of splits with a partial
// gradient each; the partials are added in order, so results do not depend on threads.
int64_t wgrad_workspace_bytes(const ConvGeometry& geometry, int threads);
void wgrad_run(const ConvWgradArgs& args, int threads);

}  // namespace ebb::cpu
