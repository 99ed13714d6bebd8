#pragma once

#include <cstdint>

#include "kernels/random/random.h"

namespace ebb {

// Gathers a classifier's training batch from the data set and transforms each image slightly:
// turned about its center, then shifted, read back with bilinear interpolation, black outside.
//
// Example j of the batch is example first_example + j of the run. Three words of stream kAugment
// under that number decide, each uniform: u in +-max_tangent, dx and dy in +-max_shift. The turn by
// 2 atan(u) has cos = (1 - u^2) / (1 + u^2) and sin = 2u / (1 + u^2): single IEEE operations, the
// same bits on every device, which a library's sine would not give. Without shift and turn images
// come out exactly as they are.
struct DigitBatchArgs {
  uint64_t seed;
  const uint64_t*
      first_example;  // [1]: on the device, because it changes between launches of a captured step
  int64_t n;          // examples in the batch
  int64_t height, width;
  int64_t classes;
  float max_shift;         // pixels
  float max_tangent;       // tan(largest turn / 2)
  const uint8_t* images;   // [dataset, height, width], 0..255 -> [0, 1]
  const uint8_t* labels;   // [dataset]
  const int32_t* indices;  // [n] rows of the data set
  float* input;            // [n, height, width]
  float* target;           // [n, classes] one-hot
};

}  // namespace ebb
