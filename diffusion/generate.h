#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "diffusion/sampler.h"

namespace ebb {

// What to draw. Image i has seed first_seed + i and comes out the same in any batch.
struct GenerateRequest {
  int64_t images = 1;
  // What the network is asked; conditions hold all images, or one for all (recipes: denoiser.h).
  Guidance guidance;
  SamplerSettings sampler;
  SamplingSchedule schedule;
  Resampling resampling;
  // Undefined: from pure noise. Else [images, H, W, C] or [1, H, W, C], clean: noised to the walk's
  // first level.
  Tensor start;
  std::shared_ptr<Constraint> constraint;  // may be null
  uint64_t first_seed = 0;
  int64_t batch_size = 64;  // images computed at once
};

// Moves of the sampler for one batch.
int64_t move_count(const GenerateRequest& request);

// The state of images [first, first + N) of the request after `moves_done` moves: x [N, H, W, C].
using GenerateCallback =
    std::function<void(int64_t first_image, int64_t moves_done, const Tensor& x)>;

// Draws all images; the values [images, H, W, C] as the network makes them, not clamped. Every
// sampling in ebb comes through here. params: as of Executor.
std::vector<float> generate(Context& context, const Network& network, TensorMap params,
                            const GenerateRequest& request, const GenerateCallback& after_move);

}  // namespace ebb
