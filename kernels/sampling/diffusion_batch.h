#pragma once

#include <cstdint>

#include "kernels/random/random.h"

namespace ebb {

// Input and target of the network in a training batch.
enum class DiffusionTask {
  kDenoise,    // input = x0 + sigma eps, target = x0
  kPureNoise,  // input = eps, target = x0
  kDdpm,       // k ~ {0..T-1}: input = sqrt(ab_k) x0 + sqrt(1-ab_k) eps, target = eps,
               // t = (k + 1) / T
  kFlow,       // t ~ U[0, 1): input = (1-t) eps + t x0, target = x0 - eps
};

// Gathers a batch from the data set and draws its noise, timestep and class dropout in one pass.
// Example j of the batch is example first_example + j of the run and reads its random numbers from
// streams kNoise, kTimestep and kDrop under that number.
struct DiffusionBatchArgs {
  DiffusionTask task;
  uint64_t seed;
  const uint64_t*
      first_example;  // [1]: on the device, because it changes between launches of a captured step
  int64_t n;          // examples in the batch
  int64_t pixels;     // H * W * C of an image
  int64_t classes;
  float sigma;             // kDenoise
  int64_t timesteps;       // kDdpm: T
  float drop;              // probability that c is zeroed
  const uint8_t* images;   // [dataset, pixels], 0..255 -> [0, 1]
  const uint8_t* labels;   // [dataset] or null
  const int32_t* indices;  // [n] rows of the data set
  const float* alpha_bar;  // kDdpm: [T], alpha_bar[k]
  float* input;            // [n, pixels]
  float* target;           // [n, pixels]
  float* t;                // [n] or null
  float* c;                // [n, classes] one-hot or zero, or null
};

}  // namespace ebb
