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

// `count` numbers at equal distances.
std::vector<double> spaced(int64_t count, double first, double last) {
  std::vector<double> values(static_cast<size_t>(count), first);
  for (int64_t k = 1; k < count; ++k) {
    values[k] = first + (last - first) * static_cast<double>(k) / static_cast<double>(count - 1);
  }
  return values;
}

// torch.linspace() in f32: each half counts from its end.
std::vector<float> single_spaced(int64_t count, double first, double last) {
  const auto low = static_cast<float>(first), high = static_cast<float>(last);
  const double step =
      count == 1 ? 0 : static_cast<double>((high - low) / static_cast<float>(count - 1));
  std::vector<float> values;
  for (int64_t k = 0; k < count; ++k) {
    values.push_back(static_cast<float>(
        k < count / 2 ? double{low} + step * static_cast<double>(k)
                      : double{high} - step * static_cast<double>(count - 1 - k)));
  }
  return values;
}

std::vector<float> single_betas(const Objective& objective) {
  const int64_t count = objective.timesteps;
  const double start = objective.beta_start, end = objective.beta_end;
  if (objective.schedule == BetaSchedule::kLinear) return single_spaced(count, start, end);
  std::vector<float> beta;
  switch (objective.schedule) {
    case BetaSchedule::kScaledLinear:
      beta = single_spaced(count, std::sqrt(start), std::sqrt(end));
      for (float& b : beta) b *= b;
      return beta;
    case BetaSchedule::kSigmoid:
      beta = single_spaced(count, -6, 6);
      for (float& b : beta) {
        b = 1 / (1 + std::exp(-b)) * static_cast<float>(end - start) + static_cast<float>(start);
      }
      return beta;
    case BetaSchedule::kSquaredCosine:
      for (const double b : squared_cosine_schedule(count).beta) {
        beta.push_back(static_cast<float>(b));
      }
      return beta;
    case BetaSchedule::kLinear:
    case BetaSchedule::kTrained:
      break;
  }
  for (const double b : objective.betas) beta.push_back(static_cast<float>(b));
  return beta;
}

// diffusers' tables: f32, but for the running product, which torch.cumprod() keeps in f64.
NoiseSchedule single_schedule(const Objective& objective) {
  NoiseSchedule schedule;
  double product = 1;
  for (const float b : single_betas(objective)) {
    const float alpha = 1 - b;
    product *= alpha;
    schedule.beta.push_back(b);
    schedule.alpha.push_back(alpha);
    schedule.alpha_bar.push_back(static_cast<float>(product));
  }
  return schedule;
}

}  // namespace

NoiseSchedule linear_schedule(int64_t timesteps, double beta_start, double beta_end) {
  return from_betas(spaced(timesteps, beta_start, beta_end));
}

NoiseSchedule scaled_linear_schedule(int64_t timesteps, double beta_start, double beta_end) {
  std::vector<double> beta = spaced(timesteps, std::sqrt(beta_start), std::sqrt(beta_end));
  for (double& b : beta) b *= b;
  return from_betas(std::move(beta));
}

NoiseSchedule sigmoid_schedule(int64_t timesteps, double beta_start, double beta_end) {
  std::vector<double> beta = spaced(timesteps, -6, 6);
  for (double& b : beta) b = beta_start + (beta_end - beta_start) / (1 + std::exp(-b));
  return from_betas(std::move(beta));
}

NoiseSchedule squared_cosine_schedule(int64_t timesteps) {
  constexpr double kOffset = 0.008;
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
  if (objective.time_input == TimeInput::kIndex) return single_schedule(objective);
  switch (objective.schedule) {
    case BetaSchedule::kLinear:
      return linear_schedule(objective.timesteps, objective.beta_start, objective.beta_end);
    case BetaSchedule::kSquaredCosine:
      return squared_cosine_schedule(objective.timesteps);
    case BetaSchedule::kScaledLinear:
      return scaled_linear_schedule(objective.timesteps, objective.beta_start, objective.beta_end);
    case BetaSchedule::kSigmoid:
      return sigmoid_schedule(objective.timesteps, objective.beta_start, objective.beta_end);
    case BetaSchedule::kTrained:
      break;
  }
  return from_betas(objective.betas);
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

std::vector<int64_t> spaced_timesteps(int64_t timesteps, int64_t steps, TimestepSpacing spacing,
                                      int64_t offset) {
  EBB_CHECK(steps >= 1 && steps <= timesteps, Error, "spaced_timesteps: ", steps, " steps of ",
            timesteps);
  std::vector<int64_t> result;
  for (int64_t i = steps - 1; i >= 0; --i) {
    const auto index = static_cast<double>(i), all = static_cast<double>(timesteps);
    switch (spacing) {
      case TimestepSpacing::kLeading:
        result.push_back(std::min(i * (timesteps / steps) + offset, timesteps - 1));
        break;
      case TimestepSpacing::kTrailing:  // halves to the even number, as NumPy rounds
        result.push_back(std::llrint(all * (index + 1) / static_cast<double>(steps)) - 1);
        break;
      case TimestepSpacing::kLinspace:
        result.push_back(
            steps == 1 ? 0 : std::llrint((all - 1) * index / static_cast<double>(steps - 1)));
        break;
    }
  }
  return result;
}

AncestralStep ancestral_step(const NoiseSchedule& schedule, int64_t k, int64_t k_next) {
  return ancestral_step(schedule.signal(k), schedule.signal(k_next));
}

AncestralStep ancestral_step(double alpha_bar, double alpha_bar_next, bool is_single) {
  AncestralStep step;
  step.alpha = alpha_bar / alpha_bar_next;
  if (is_single) step.alpha = static_cast<float>(step.alpha);
  step.beta = 1 - step.alpha;
  step.c_x0 = std::sqrt(alpha_bar_next) * step.beta / (1 - alpha_bar);
  step.c_xt = std::sqrt(step.alpha) * (1 - alpha_bar_next) / (1 - alpha_bar);
  return step;
}

}  // namespace ebb
