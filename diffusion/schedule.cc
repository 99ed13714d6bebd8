#include "diffusion/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "base/error.h"

namespace ebb {
namespace {

NoiseSchedule from_betas(std::vector<double> beta) {
  NoiseSchedule schedule;
  double alpha_bar = 1;
  for (const double b : beta) {
    schedule.alpha.push_back(1 - b);
    alpha_bar *= 1 - b;
    schedule.alpha_bar.push_back(alpha_bar);
  }
  schedule.beta = std::move(beta);
  return schedule;
}

}  // namespace

NoiseSchedule linear_schedule(int64_t timesteps, double beta_start, double beta_end) {
  std::vector<double> beta(static_cast<size_t>(timesteps), beta_start);
  for (int64_t k = 1; k < timesteps; ++k) {
    beta[k] = beta_start +
              (beta_end - beta_start) * static_cast<double>(k) / static_cast<double>(timesteps - 1);
  }
  return from_betas(std::move(beta));
}

NoiseSchedule squared_cosine_schedule(int64_t timesteps) {
  constexpr double kOffset = 0.008, kMaxBeta = 0.999;
  const auto signal = [&](int64_t k) {
    const double time = static_cast<double>(k) / static_cast<double>(timesteps);
    const double cosine = std::cos((time + kOffset) / (1 + kOffset) * std::numbers::pi / 2);
    return cosine * cosine;
  };
  std::vector<double> beta;
  for (int64_t k = 0; k < timesteps; ++k) {
    beta.push_back(std::min(1 - signal(k + 1) / signal(k), kMaxBeta));
  }
  return from_betas(std::move(beta));
}

NoiseSchedule ddpm_schedule(const Objective& objective) {
  EBB_CHECK(objective.type == ObjectiveType::kDdpm, Error, "ddpm_schedule: objective is ",
            to_string(objective.type));
  if (objective.schedule == BetaSchedule::kSquaredCosine) {
    return squared_cosine_schedule(objective.timesteps);
  }
  return linear_schedule(objective.timesteps, objective.beta_start, objective.beta_end);
}

std::vector<int64_t> strided_timesteps(int64_t timesteps, int64_t steps) {
  EBB_CHECK(steps >= 1 && steps <= timesteps, Error, "strided_timesteps: ", steps, " steps of ",
            timesteps);
  std::vector<int64_t> result;
  for (int64_t i = 0; i < steps; ++i) {
    // timesteps * (steps - i) / steps, rounded to nearest.
    const int64_t end = (2 * timesteps * (steps - i) + steps) / (2 * steps);
    result.push_back(end - 1);
  }
  return result;
}

AncestralStep ancestral_step(const NoiseSchedule& schedule, int64_t k, int64_t k_next) {
  return ancestral_step(schedule.signal(k), schedule.signal(k_next));
}

AncestralStep ancestral_step(double alpha_bar, double alpha_bar_next) {
  AncestralStep step;
  step.alpha = alpha_bar / alpha_bar_next;
  step.beta = 1 - step.alpha;
  step.c_x0 = std::sqrt(alpha_bar_next) * step.beta / (1 - alpha_bar);
  step.c_xt = std::sqrt(step.alpha) * (1 - alpha_bar_next) / (1 - alpha_bar);
  return step;
}

}  // namespace ebb
