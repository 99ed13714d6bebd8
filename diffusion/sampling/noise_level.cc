#include "diffusion/sampling/noise_level.h"

#include <algorithm>
#include <array>

#include "base/error.h"
#include "diffusion/sampling/combine.h"
#include "diffusion/sampling/schedule.h"

namespace ebb {
namespace {

constexpr double kLambdaMin = -5.1;

NoiseLevel ddpm_level(const Objective& objective, const NoiseSchedule& schedule, int64_t k) {
  const double alpha_bar = schedule.signal(k);
  const auto timesteps = static_cast<double>(objective.timesteps);
  return {.signal_power = alpha_bar,
          .noise_power = 1 - alpha_bar,
          .time = objective.time_input == TimeInput::kIndex
                      ? static_cast<double>(k)
                      : static_cast<double>(k + 1) / timesteps,
          .timestep = k};
}

NoiseLevel flow_level(double time) {
  return {.signal_power = time * time,
          .noise_power = (1 - time) * (1 - time),
          .time = time,
          .timestep = -1};
}

bool is_flow(const Objective& objective) {
  EBB_CHECK(takes_time(objective), Error, "noise levels: the objective is ",
            to_string(objective.type));
  return objective.type == ObjectiveType::kFlow;
}

Walk ddpm_walk(const Objective& objective, int64_t timesteps, int64_t steps) {
  const NoiseSchedule schedule = ddpm_schedule(objective);
  Walk walk;
  for (const int64_t k : strided_timesteps(timesteps, steps)) {
    walk.push_back(ddpm_level(objective, schedule, k));
  }
  walk.push_back(ddpm_level(objective, schedule, -1));
  return walk;
}

Walk flow_walk(double start, int64_t steps) {
  Walk walk;
  for (int64_t i = 0; i <= steps; ++i) {
    const double done = static_cast<double>(i) / static_cast<double>(steps);
    walk.push_back(flow_level(i == steps ? 1 : start + (1 - start) * done));
  }
  return walk;
}

}  // namespace

NoiseLevel timestep_level(const Objective& objective, int64_t k) {
  return ddpm_level(objective, ddpm_schedule(objective), k);
}

NoiseLevel scale_level(const Objective& objective, int64_t t) {
  EBB_CHECK(t >= 0 && t < kScale, Error, "scale_level: ", t);
  if (is_flow(objective)) return flow_level(1 - static_cast<double>(t) / kScale);
  return timestep_level(objective, t * objective.timesteps / kScale);
}

std::vector<int64_t> course_timesteps() {
  std::vector<int64_t> timesteps;
  for (int64_t t = 990; t >= 0; t -= 30) timesteps.push_back(t);
  return timesteps;
}

Walk course_walk(const Objective& objective) {
  Walk walk;
  for (const int64_t t : course_timesteps()) {
    const NoiseLevel level = scale_level(objective, t);
    if (walk.empty() || walk.back().time != level.time) walk.push_back(level);
  }
  return walk;
}

Walk full_walk(const Objective& objective, int64_t steps) {
  return is_flow(objective) ? flow_walk(0, steps)
                            : ddpm_walk(objective, objective.timesteps, steps);
}

Walk walk_from(const Objective& objective, const NoiseLevel& start, int64_t steps) {
  return is_flow(objective) ? flow_walk(start.time, steps)
                            : ddpm_walk(objective, start.timestep + 1, steps);
}

Walk clipped_walk(const Objective& objective, int64_t steps) {
  const NoiseSchedule schedule = ddpm_schedule(objective);
  int64_t timesteps = objective.timesteps;
  const auto lambda = [&](int64_t k) {
    return 0.5 * std::log(schedule.signal(k) / (1 - schedule.signal(k)));
  };
  while (timesteps > steps && lambda(timesteps - 1) < kLambdaMin) --timesteps;
  return ddpm_walk(objective, timesteps, steps);
}

std::string scale_text(const Objective& objective, const NoiseLevel& level) {
  const double t = is_flow(objective) ? (1 - level.time) * kScale
                                      : static_cast<double>(std::max<int64_t>(level.timestep, 0)) *
                                            kScale / static_cast<double>(objective.timesteps);
  return std::to_string(std::llround(t));
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
  const Tensor image = Tensor::empty(context, x.shape());
  if (!takes_time(objective)) {
    image.copy_from(prediction);
    return image;
  }
  const std::array factors = is_flow(objective)
                                 ? std::array{1.0, 1 - level.time}
                                 : std::array{1 / level.signal(), -level.noise() / level.signal()};
  combine(context, std::array{x, prediction}, coefficients(context, factors), image);
  return image;
}

}  // namespace ebb
