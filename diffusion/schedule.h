#pragma once

#include <cstdint>
#include <vector>

#include "diffusion/objective.h"

namespace ebb {

// Noise added by each timestep k = 0..T-1 (Ho et al. 2020):
//   alpha_k = 1 - beta_k,  alpha_bar_k = alpha_0 * ... * alpha_k.
struct NoiseSchedule {
  std::vector<double> beta;       // [T]
  std::vector<double> alpha;      // [T]
  std::vector<double> alpha_bar;  // [T]

  int64_t timesteps() const { return static_cast<int64_t>(beta.size()); }
  // alpha_bar[k]; 1, the clean image, for k = -1.
  double signal(int64_t k) const { return k < 0 ? 1.0 : alpha_bar[static_cast<size_t>(k)]; }
};

// beta grows linearly from beta_start to beta_end.
NoiseSchedule linear_schedule(int64_t timesteps, double beta_start, double beta_end);

// "squaredcos_cap_v2" (Nichol & Dhariwal 2021): alpha_bar follows a squared cosine, beta is at most
// 0.999.
NoiseSchedule squared_cosine_schedule(int64_t timesteps);

// "scaled_linear": the square roots of beta grow linearly.
NoiseSchedule scaled_linear_schedule(int64_t timesteps, double beta_start, double beta_end);

// "sigmoid": beta follows a sigmoid of -6..6 from beta_start to beta_end.
NoiseSchedule sigmoid_schedule(int64_t timesteps, double beta_start, double beta_end);

// The objective's type must be kDdpm. That of kIndex has the numbers of diffusers, which computes
// in f32: 1 - alpha_bar of the first timesteps differs from the formula's by up to 1e-3 of itself.
NoiseSchedule ddpm_schedule(const Objective& objective);

// The timesteps that `steps` sampling steps start from, descending: the last is followed by the
// clean image. They end at equal strides, the first is always T - 1 ("trailing", Lin et al. 2024).
// 1 <= steps <= T.
std::vector<int64_t> strided_timesteps(int64_t timesteps, int64_t steps);

// Places of the timesteps of a strided list: diffusers' "timestep_spacing" (Lin et al. 2024, table
// 2).
enum class TimestepSpacing {
  kLeading,   // 0, T / steps, ... (rounded down), all moved up by an offset
  kTrailing,  // T, T - T / steps, ..., each less 1
  kLinspace,  // from T - 1 to 0, both included
};
// Descending. offset: of kLeading. kTrailing differs from strided_timesteps() where those round a
// half: NumPy rounds it to the even number.
std::vector<int64_t> spaced_timesteps(int64_t timesteps, int64_t steps, TimestepSpacing spacing,
                                      int64_t offset);

// One ancestral step from timestep k to the less noisy k_next (-1: the clean image), with
// alpha = alpha_bar_k / alpha_bar_k_next and beta = 1 - alpha:
//   x_next = c_x0 * x0 + c_xt * x_k + noise of variance beta (DDPM's "fixed large" choice).
struct AncestralStep {
  double alpha, beta;
  double c_x0, c_xt;
};
AncestralStep ancestral_step(const NoiseSchedule& schedule, int64_t k, int64_t k_next);
// The same from the two alpha_bar. is_single: with alpha in f32, of which 1 - alpha between
// neighboring timesteps loses digits, as in diffusers.
AncestralStep ancestral_step(double alpha_bar, double alpha_bar_next, bool is_single = false);

}  // namespace ebb
