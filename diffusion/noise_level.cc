#include "diffusion/noise_level.h"

#include <algorithm>
#include <array>

#include "base/error.h"
#include "diffusion/combine.h"
#include "diffusion/consistency.h"
#include "diffusion/schedule.h"

namespace ebb {
namespace {

constexpr double kLambdaMin = -5.1;

NoiseLevel ddpm_level(const Objective& objective, const NoiseSchedule& schedule, int64_t k) {
  const double alpha_bar = schedule.signal(k);
  const auto timesteps = static_cast<double>(objective.timesteps);
  return {.alpha_bar = alpha_bar,
          .one_minus_alpha_bar = 1 - alpha_bar,
          .time = objective.time_input == TimeInput::kIndex
                      ? static_cast<double>(k)
                      : static_cast<double>(k + 1) / timesteps,
          .timestep = k,
          .is_single = objective.time_input == TimeInput::kIndex};
}

NoiseLevel flow_level(double time) {
  return {.alpha_bar = time * time,
          .one_minus_alpha_bar = (1 - time) * (1 - time),
          .time = time,
          .timestep = -1};
}

bool is_flow(const Objective& objective) {
  EBB_CHECK(takes_time(objective), Error, "noise levels: the objective is ",
            to_string(objective.type));
  return objective.type == ObjectiveType::kFlow;
}

SamplingSchedule strided_ddpm_schedule(const Objective& objective, int64_t timesteps,
                                       int64_t steps) {
  return timesteps_schedule(objective, strided_timesteps(timesteps, steps));
}

bool is_consistency(const Objective& objective) {
  return objective.type == ObjectiveType::kConsistency;
}

SamplingSchedule uniform_flow_schedule(double start, int64_t steps) {
  SamplingSchedule schedule;
  for (int64_t i = 0; i <= steps; ++i) {
    const double done = static_cast<double>(i) / static_cast<double>(steps);
    schedule.push_back(flow_level(i == steps ? 1 : start + (1 - start) * done));
  }
  return schedule;
}

}  // namespace

SamplingSchedule timesteps_schedule(const Objective& objective,
                                    std::span<const int64_t> timesteps) {
  const NoiseSchedule noise = ddpm_schedule(objective);
  SamplingSchedule schedule;
  for (const int64_t k : timesteps) schedule.push_back(ddpm_level(objective, noise, k));
  schedule.push_back(ddpm_level(objective, noise, -1));
  return schedule;
}

NoiseLevel timestep_level(const Objective& objective, int64_t k) {
  return ddpm_level(objective, ddpm_schedule(objective), k);
}

NoiseLevel scale_level(const Objective& objective, int64_t t) {
  EBB_CHECK(t >= 0 && t < kScale, Error, "scale_level: ", t);
  const double left = 1 - static_cast<double>(t) / kScale;
  if (is_flow(objective)) return flow_level(left);
  if (is_consistency(objective)) return consistency_level(objective.consistency, left);
  return timestep_level(objective, t * objective.timesteps / kScale);
}

std::vector<int64_t> assignment_timesteps() {
  std::vector<int64_t> timesteps;
  for (int64_t t = 990; t >= 0; t -= 30) timesteps.push_back(t);
  return timesteps;
}

SamplingSchedule assignment_schedule(const Objective& objective) {
  SamplingSchedule schedule;
  for (const int64_t t : assignment_timesteps()) {
    const NoiseLevel level = scale_level(objective, t);
    if (schedule.empty() || schedule.back().time != level.time) schedule.push_back(level);
  }
  return schedule;
}

SamplingSchedule full_schedule(const Objective& objective, int64_t steps) {
  if (is_consistency(objective)) return consistency_schedule(objective, steps);
  return is_flow(objective) ? uniform_flow_schedule(0, steps)
                            : strided_ddpm_schedule(objective, objective.timesteps, steps);
}

SamplingSchedule spaced_schedule(const Objective& objective, int64_t steps, TimestepSpacing spacing,
                                 int64_t offset) {
  return timesteps_schedule(objective,
                            spaced_timesteps(objective.timesteps, steps, spacing, offset));
}

SamplingSchedule schedule_from(const Objective& objective, const NoiseLevel& start, int64_t steps) {
  if (is_consistency(objective)) return consistency_schedule_from(objective, start, steps);
  return is_flow(objective) ? uniform_flow_schedule(start.time, steps)
                            : strided_ddpm_schedule(objective, start.timestep + 1, steps);
}

SamplingSchedule clipped_schedule(const Objective& objective, int64_t steps) {
  const NoiseSchedule schedule = ddpm_schedule(objective);
  int64_t timesteps = objective.timesteps;
  const auto lambda = [&](int64_t k) {
    return 0.5 * std::log(schedule.signal(k) / (1 - schedule.signal(k)));
  };
  while (timesteps > steps && lambda(timesteps - 1) < kLambdaMin) --timesteps;
  return strided_ddpm_schedule(objective, timesteps, steps);
}

std::array<double, 2> noise_factors(PredictionType prediction, const NoiseLevel& level) {
  const double signal = level.signal(), noise = level.noise();
  switch (prediction) {
    case PredictionType::kEpsilon:
      break;
    case PredictionType::kSample:  // x = signal * x0 + noise * eps
      return {1 / noise, -signal / noise};
    case PredictionType::kV:  // and v = signal * eps - noise * x0
      return {noise, signal};
  }
  return {0, 1};
}

std::array<double, 2> data_factors(PredictionType prediction, const NoiseLevel& level) {
  const auto [of_x, of_prediction] = noise_factors(prediction, level);
  const double ratio = level.noise() / level.signal();
  return {1 / level.signal() - ratio * of_x, -ratio * of_prediction};
}

int64_t scale_time(const Objective& objective, const NoiseLevel& level) {
  if (is_consistency(objective)) {
    return std::llround((1 - place_of(objective.consistency, level)) * kScale);
  }
  const double t = is_flow(objective) ? (1 - level.time) * kScale
                                      : static_cast<double>(std::max<int64_t>(level.timestep, 0)) *
                                            kScale / static_cast<double>(objective.timesteps);
  return std::llround(t);
}

std::string scale_text(const Objective& objective, const NoiseLevel& level) {
  return std::to_string(scale_time(objective, level));
}

Tensor add_noise(Context& context, const NoiseLevel& level, const Tensor& image,
                 const Tensor& eps) {
  const Tensor x = Tensor::empty(context, image.shape());
  combine(context, std::array{image, eps},
          coefficients(context, std::array{level.signal(), level.noise()}), x);
  return x;
}

Tensor clean_estimate(Context& context, const Objective& objective, const NoiseLevel& level,
                      const Tensor& x, const Tensor& prediction) {
  EBB_CHECK(!is_consistency(objective), Error, "clean_estimate: use predict_clean()");
  const Tensor image = Tensor::empty(context, x.shape());
  if (!takes_time(objective)) {
    image.copy_from(prediction);
    return image;
  }
  const std::array factors = is_flow(objective) ? std::array{1.0, 1 - level.time}
                                                : data_factors(objective.prediction, level);
  combine(context, std::array{x, prediction}, coefficients(context, factors), image);
  return image;
}

}  // namespace ebb
