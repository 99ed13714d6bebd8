#pragma once

#include <string>
#include <vector>

#include "diffusion/commands/drawing.h"
#include "diffusion/commands/picture_start.h"

namespace ebb {

// A start picture noised to one level with the noise of several seeds.
struct NoisedPictures {
  std::string title;  // "t = 250"
  Tensor x;           // [pictures, H, W, C]
};

// For each timestep of `timesteps` ("250,500,750", on the scale of 1000) the picture noised for
// seeds first_seed, first_seed + 1, ...; UsageError for a model that knows no time.
std::vector<NoisedPictures> noise_picture(const Drawing& drawing, const StartPicture& start,
                                          const std::string& timesteps, int64_t pictures);

// Provenance of what was made from a start picture; for files of their own without seeds.
Provenance provenance_of(const Drawing& drawing, const StartPicture& start);

}  // namespace ebb
