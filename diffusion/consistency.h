#pragma once

#include <memory>
#include <span>

#include "diffusion/noise_level.h"
#include "diffusion/sampler.h"

namespace ebb {

// Consistency models (Song et al. 2023) as diffusers' CMStochasticIterativeScheduler runs them.
// With the data's deviation d, the network F sees x / sqrt(sigma^2 + d^2) at time 250 ln(sigma),
// and the clean image is
//   d^2 / ((sigma - sigma_min)^2 + d^2) x + (sigma - sigma_min) d / sqrt(sigma^2 + d^2) F.

// The level at a place of the ramp of Karras et al. 2022, eq. 5: 0 is sigma_max, 1 is sigma_min.
NoiseLevel consistency_level(const Consistency& model, double place);
double place_of(const Consistency& model, const NoiseLevel& level);

// From each of these timesteps, which ascend from noise to data, to the next, then the clean image.
// 0 <= index < timesteps.
SamplingSchedule consistency_schedule(const Objective& objective,
                                      std::span<const int64_t> timesteps);
// `steps` timesteps with equal strides from 0 on.
SamplingSchedule consistency_schedule(const Objective& objective, int64_t steps);
// Equal strides on the ramp from a level on.
SamplingSchedule consistency_schedule_from(const Objective& objective, const NoiseLevel& start,
                                           int64_t steps);

// The factor of x in front of the network, and those of x and its output in the clean image.
struct ConsistencyFactors {
  double input, x, output;
};
ConsistencyFactors consistency_factors(const Consistency& model, const NoiseLevel& level);

// Each step is an estimate of the clean images with the noise of the next level.
std::unique_ptr<Sampler> make_consistency(Context& context, const SamplerSettings& settings,
                                          const SamplingSchedule& schedule);

}  // namespace ebb
