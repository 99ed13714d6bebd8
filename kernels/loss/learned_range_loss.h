#pragma once

#include <cstdint>

namespace ebb {

// Noise level of an image, as the loss sees it.
struct LearnedRangeStep {
  float min_log, max_log;  // bounds of the logarithm of the variance of a step back
  float gap;               // true mean of that step minus the predicted one, per error of the noise
  float is_first;          // 1: the step ends at the image itself, of 256 levels in [-1, 1]
};

// The hybrid loss of a network that predicts the noise and, per number, a code in [-1, 1] for the
// variance between two bounds (Nichol & Dhariwal 2021, eq. 15 and 16):
//   mean of (noise' - noise)^2 + vlb_weight * mean of the variational bound's terms, in bits.
// The bound's terms have no gradient with respect to noise'.
struct LearnedRangeLossArgs {
  int64_t n, pixels, c;
  float vlb_weight;
  const float* prediction;        // [n, pixels, 2c]: noise', then codes
  const float* noise;             // [n, pixels, c]
  const float* images;            // [n, pixels, c], without noise
  const LearnedRangeStep* steps;  // [n]
  float* loss;                    // [1], summed in double in a fixed order
  void* workspace;                // learned_range_loss_workspace_bytes(n * pixels * c)
};
using LearnedRangeLossWorkspaceBytesFn = int64_t(int64_t count);

struct LearnedRangeLossBackwardArgs {
  int64_t n, pixels, c;
  float vlb_weight;
  const float* prediction;        // [n, pixels, 2c]
  const float* noise;             // [n, pixels, c]
  const float* images;            // [n, pixels, c]
  const LearnedRangeStep* steps;  // [n]
  const float* dloss;             // [1]
  float* dprediction;             // [n, pixels, 2c]
};

}  // namespace ebb
