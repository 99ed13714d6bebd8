#pragma once

#include <string>
#include <vector>

#include "apps/ebb/image_start.h"
#include "apps/ebb/sample_job.h"

namespace ebb {

// Flags of the commands that add noise to a start image and take no steps.
struct NoisyImageFlags {
  SampleFlags job;
  InputFlags input;
  std::string timesteps = "250,500,750";
};

// Adds the flags of the input and the timesteps; add_sample_flags() adds the rest.
void add_noisy_image_flags(Command command, NoisyImageFlags& flags);
// UsageError that names `command` ("ebb blur") for flags of steps or of a network.
void refuse_network_flags(const SampleFlags& flags, const std::string& command);

// A start image at one noise level, with the noise of several seeds.
struct NoisyImages {
  std::string title;  // "t = 250"
  Tensor x;           // [images, H, W, C]
};

// The number of levels listed in `timesteps`.
int64_t count_levels(const std::string& timesteps);

// For each timestep of `timesteps` ("250,500,750", on the scale of 1000) the image with noise for
// seeds first_seed, first_seed + 1, ...; UsageError for a model that knows no time.
std::vector<NoisyImages> noise_image(const SampleJob& job, const StartImage& start,
                                     const std::string& timesteps, int64_t images);

// Provenance of what was made from a start image; for files of their own without seeds.
Provenance provenance_of(const SampleJob& job, const StartImage& start);

}  // namespace ebb
