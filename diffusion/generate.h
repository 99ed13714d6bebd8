#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "diffusion/sampler.h"

namespace ebb {

inline constexpr int64_t kNoClass = -1;

// What to draw. Image i has seed first_seed + i and class classes[i], and comes out the same in any
// batch.
struct GenerateRequest {
  SamplerKind sampler = SamplerKind::kDdpm;
  int64_t steps = 300;
  double cfg_scale = 1;          // of networks with classes; 1: no guidance
  std::vector<int64_t> classes;  // one per image; kNoClass: unconditional
  uint64_t first_seed = 0;
  int64_t batch_size = 64;  // images computed at once
};

// The state of images [first, first + N) of the request after `steps_done` steps: x [N, H, W, C].
using GenerateCallback =
    std::function<void(int64_t first_image, int64_t steps_done, const Tensor& x)>;

// Draws all images; the values [images, H, W, C] as the network makes them, not clamped.
std::vector<float> generate(Context& context, const Network& network, const Objective& objective,
                            const TensorMap& params, const GenerateRequest& request,
                            const GenerateCallback& after_step);

}  // namespace ebb
