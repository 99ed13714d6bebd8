#pragma once

#include <array>
#include <cmath>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "diffusion/objective.h"
#include "diffusion/schedule.h"
#include "engine/tensor.h"

namespace ebb {

// A place on the way from noise to data: x = signal * image + noise * eps, eps ~ N(0, 1).
struct NoiseLevel {
  double alpha_bar = 1;            // signal^2; alpha_bar of kDdpm, t^2 of kFlow, 1 of kConsistency
  double one_minus_alpha_bar = 0;  // noise^2
  double time = 0;                 // time input of the network
  int64_t timestep = -1;           // k of kDdpm, -1 for the clean image and the others
  bool is_single = false;          // of a table in f32 (ddpm_schedule())

  double signal() const { return std::sqrt(alpha_bar); }
  double noise() const { return std::sqrt(one_minus_alpha_bar); }
};

// Factors of x and of a prediction at a level of kDdpm, whose sum is the noise eps, or the clean
// image, that the prediction implies.
std::array<double, 2> noise_factors(PredictionType prediction, const NoiseLevel& level);
std::array<double, 2> data_factors(PredictionType prediction, const NoiseLevel& level);

// The noise levels that a sampler visits, noisiest first; it steps from each to the next.
using SamplingSchedule = std::vector<NoiseLevel>;

inline int64_t step_count(const SamplingSchedule& schedule) {
  return static_cast<int64_t>(schedule.size()) - 1;
}

// Timestep k of a DDPM objective; k = -1 is the clean image.
NoiseLevel timestep_level(const Objective& objective, int64_t k);

// The assignment counts noise in timesteps of T = 1000. Level `t` of that scale, 0..999, on the
// objective's own: kDdpm k = t T / 1000, rounded down; kFlow time 1 - t / 1000; kConsistency place
// 1 - t / 1000 of its ramp.
inline constexpr int64_t kScale = 1000;
NoiseLevel scale_level(const Objective& objective, int64_t t);

// The assignment's strided list on that scale: 990, 960, ..., 30, 0. It ends at level 0, not at the
// clean image. Entries that fall on one timestep of a short schedule are one.
std::vector<int64_t> assignment_timesteps();
SamplingSchedule assignment_schedule(const Objective& objective);

// From pure noise to the clean image in `steps` steps: kDdpm on timesteps with equal strides that
// start at T - 1 (strided_timesteps()), kFlow at equal distances of time.
// 1 <= steps, and <= T of kDdpm.
SamplingSchedule full_schedule(const Objective& objective, int64_t steps);

// kDdpm on the timesteps of spaced_timesteps(), then the clean image. 1 <= steps <= T.
SamplingSchedule spaced_schedule(const Objective& objective, int64_t steps, TimestepSpacing spacing,
                                 int64_t offset);

// kDdpm on these timesteps, descending, then the clean image.
SamplingSchedule timesteps_schedule(const Objective& objective, std::span<const int64_t> timesteps);

// The same as full_schedule() from `start` on. 1 <= steps, and <= k + 1 of kDdpm.
SamplingSchedule schedule_from(const Objective& objective, const NoiseLevel& start, int64_t steps);

// full_schedule() that starts at the first timestep whose log(signal / noise) is at least -5.1:
// below, a squared-cosine schedule has too little signal for a solver in that variable (Lu et al.
// 2022).
SamplingSchedule clipped_schedule(const Objective& objective, int64_t steps);

// 690 of the assignment's scale (kScale), for messages and titles.
int64_t scale_time(const Objective& objective, const NoiseLevel& level);
std::string scale_text(const Objective& objective, const NoiseLevel& level);

// signal * image + noise * eps; all [N, H, W, C].
Tensor add_noise(Context& context, const NoiseLevel& level, const Tensor& image, const Tensor& eps);

// The clean image that a network's prediction implies: kDdpm by data_factors(), kFlow
// x + (1 - t) * velocity, kDenoise and kPureNoise the prediction itself.
Tensor clean_estimate(Context& context, const Objective& objective, const NoiseLevel& level,
                      const Tensor& x, const Tensor& prediction);

}  // namespace ebb
