#include "diffusion/sampler.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/text.h"
#include "diffusion/combine.h"
#include "diffusion/consistency.h"
#include "diffusion/schedule.h"
#include "kernels/kernel_table.h"

namespace ebb {
namespace {

constexpr std::array kVariances = {DdpmVariance::kFixedLarge, DdpmVariance::kFixedSmall,
                                   DdpmVariance::kLearnedRange};

// Calls make(level, next level) for each step of the schedule.
template <typename Make>
std::vector<LinearStep> steps_of(const SamplingSchedule& schedule, const Make& make) {
  std::vector<LinearStep> steps;
  for (size_t i = 0; i + 1 < schedule.size(); ++i)
    steps.push_back(make(schedule[i], schedule[i + 1]));
  return steps;
}

// Back from `level` to the noisier `before`, as the forward process goes there.
void add_noise_again(Context& context, const NoiseLevel& level, const NoiseLevel& before,
                     const NoiseSource& noise, int64_t number, const Tensor& x) {
  const double ratio = before.signal() / level.signal();
  const double variance = before.one_minus_alpha_bar - ratio * ratio * level.one_minus_alpha_bar;
  const Tensor eps = Tensor::empty(context, x.shape());
  noise.step(number, eps);
  combine(context, std::array{x, eps},
          coefficients(context, std::array{ratio, std::sqrt(std::max(variance, 0.0))}), x);
}

}  // namespace

const SamplerInfo& sampler_info(SamplerKind kind) {
  for (const SamplerInfo& info : samplers()) {
    if (info.kind == kind) return info;
  }
  throw Error("sampler_info: a sampler that is not in the table");
}

const char* to_string(SamplerKind kind) { return sampler_info(kind).name; }

SamplerKind parse_sampler(const std::string& name, const std::string& flag) {
  std::string expected;
  for (const SamplerInfo& info : samplers()) {
    if (name == info.name) return info.kind;
    expected += (expected.empty() ? "" : ", ") + std::string(info.name);
  }
  throw UsageError(cat(flag, " ", terminal_safe(name), ": must be one of ", expected));
}

std::vector<std::string> sampler_names() {
  std::vector<std::string> names;
  for (const SamplerInfo& info : samplers()) names.emplace_back(info.name);
  return names;
}

std::string fitting_samplers(const Objective& objective) {
  std::vector<std::string> names;
  for (const SamplerInfo& info : samplers()) {
    if (info.objective == objective.type) names.emplace_back(info.name);
  }
  std::string text;
  for (size_t i = 0; i < names.size(); ++i) {
    text += (i == 0 ? "" : i + 1 == names.size() ? " or " : ", ") + names[i];
  }
  return text;
}

const char* to_string(DdpmVariance variance) {
  switch (variance) {
    case DdpmVariance::kFixedLarge:
      return "fixed_large";
    case DdpmVariance::kFixedSmall:
      return "fixed_small";
    case DdpmVariance::kLearnedRange:
      return "learned_range";
  }
  return "unknown";
}

DdpmVariance parse_variance(const std::string& name, const std::string& flag) {
  std::string expected;
  for (const DdpmVariance variance : kVariances) {
    if (name == to_string(variance)) return variance;
    expected += (expected.empty() ? "" : ", ") + std::string(to_string(variance));
  }
  throw UsageError(cat(flag, " ", terminal_safe(name), ": must be one of ", expected));
}

bool fits(SamplerKind kind, const Objective& objective) {
  return sampler_info(kind).objective == objective.type;
}

SamplerKind default_sampler(const Objective& objective, const std::string& where) {
  for (const SamplerInfo& info : samplers()) {
    if (info.objective == objective.type) return info.kind;
  }
  throw UsageError(cat(where, ": was trained as ", to_string(objective.type),
                       ", which cannot sample. Use a model trained as ddpm or flow."));
}

int64_t default_steps(SamplerKind kind, const Objective& objective, bool has_classes) {
  const SamplerInfo& info = sampler_info(kind);
  const int64_t steps = has_classes ? info.class_steps : info.steps;
  if (objective.type != ObjectiveType::kDdpm) return steps;
  return steps == 0 ? objective.timesteps : std::min(steps, objective.timesteps);
}

SamplingSchedule sampler_schedule(SamplerKind kind, const Objective& objective, int64_t steps) {
  return sampler_info(kind).clips_schedule ? clipped_schedule(objective, steps)
                                           : full_schedule(objective, steps);
}

// In terms of x and the predicted noise eps, with x0 = (x - sqrt(1 - ab) eps) / sqrt(ab).
std::vector<LinearStep> ddpm_steps(const SamplingSchedule& schedule, DdpmVariance variance) {
  return steps_of(schedule, [&](const NoiseLevel& level, const NoiseLevel& next) {
    const double signal = level.alpha_bar;
    const AncestralStep step = ancestral_step(signal, next.alpha_bar, level.is_single);
    LinearStep result{.t = level.time,
                      .x_factor = step.c_xt + step.c_x0 / std::sqrt(signal),
                      .prediction_factor = -step.c_x0 * std::sqrt((1 - signal) / signal)};
    if (next.one_minus_alpha_bar == 0) return result;
    const double small = next.one_minus_alpha_bar / level.one_minus_alpha_bar * step.beta;
    switch (variance) {
      case DdpmVariance::kFixedLarge:
        result.noise_factor = std::sqrt(step.beta);
        break;
      case DdpmVariance::kFixedSmall:
        result.noise_factor = std::sqrt(small);
        break;
      case DdpmVariance::kLearnedRange: {
        // Half of log(variance) = log(small) + (v + 1) / 2 * (log(beta) - log(small)).
        const double low = std::log(small), high = std::log(step.beta);
        result.is_learned = true;
        result.log_deviation[0] = (low + high) / 4;
        result.log_deviation[1] = (high - low) / 4;
        break;
      }
    }
    return result;
  });
}

std::vector<LinearStep> ddim_steps(const SamplingSchedule& schedule, double eta) {
  return steps_of(schedule, [&](const NoiseLevel& level, const NoiseLevel& next) {
    const double signal = level.alpha_bar, next_signal = next.alpha_bar;
    const double x_factor = std::sqrt(next_signal / signal);
    const double variance =
        eta * eta * (1 - next_signal) / (1 - signal) * (1 - signal / next_signal);
    return LinearStep{.t = level.time,
                      .x_factor = x_factor,
                      .prediction_factor =
                          std::sqrt(1 - next_signal - variance) - x_factor * std::sqrt(1 - signal),
                      .noise_factor = std::sqrt(variance)};
  });
}

std::vector<LinearStep> steps_by_prediction(std::vector<LinearStep> steps,
                                            const SamplingSchedule& schedule,
                                            PredictionType prediction) {
  for (size_t i = 0; i < steps.size(); ++i) {
    const auto [of_x, of_prediction] = noise_factors(prediction, schedule[i]);
    steps[i].x_factor += steps[i].prediction_factor * of_x;
    steps[i].prediction_factor *= of_prediction;
  }
  return steps;
}

std::vector<LinearStep> euler_steps(const SamplingSchedule& schedule) {
  return steps_of(schedule, [&](const NoiseLevel& level, const NoiseLevel& next) {
    return LinearStep{.t = level.time,
                      .x_factor = 1,
                      .prediction_factor = next.time - level.time,
                      .noise_factor = 0};
  });
}

std::unique_ptr<Sampler> make_sampler(Context& context, const SamplerSettings& settings,
                                      const SamplingSchedule& schedule) {
  EBB_CHECK(step_count(schedule) >= 1, Error, "make_sampler: a schedule of ", schedule.size(),
            " levels");
  return sampler_info(settings.kind).make(context, settings, schedule);
}

void apply_threshold(Context& context, const Thresholding& thresholding, const Tensor& x) {
  const int64_t n = x.shape()[0];
  context.launch(&KernelTable::threshold,
                 ThresholdArgs{.n = n,
                               .elements = x.elements() / n,
                               .dynamic = thresholding.dynamic,
                               .limit = static_cast<float>(thresholding.limit),
                               .ratio = static_cast<float>(thresholding.ratio),
                               .x = x.data<float>(),
                               .y = x.data<float>()});
}

Tensor predict_clean(Context& context, const Objective& objective, const NoiseLevel& level,
                     Denoiser& denoiser, const Tensor& x) {
  const Tensor t = coefficients(context, std::span(&level.time, 1)).reshape({1, 1});
  if (objective.type != ObjectiveType::kConsistency) {
    return clean_estimate(context, objective, level, x, denoiser.predict(x, t).value);
  }
  const ConsistencyFactors factors = consistency_factors(objective.consistency, level);
  const Tensor seen = Tensor::empty(context, x.shape()), clean = Tensor::empty(context, x.shape());
  combine(context, std::array{x}, coefficients(context, std::array{factors.input}), seen);
  combine(context, std::array{x, denoiser.predict(seen, t).value},
          coefficients(context, std::array{factors.x, factors.output}), clean);
  return clean;
}

std::vector<Step> plan_steps(int64_t steps, const Resampling& resampling) {
  // Stretches end where a multiple of `jump` steps, and one, are left: the paper's time 0, jump,
  // ... The last of them is too close to the start to go back from.
  std::vector<int64_t> jumps_left(static_cast<size_t>(steps) + 1, 0);
  for (int64_t left = 0; left < steps - resampling.jump; left += resampling.jump) {
    jumps_left[steps - 1 - left] = resampling.times - 1;
  }
  std::vector<Step> plan;
  for (int64_t done = 0; done < steps;) {
    plan.push_back({.index = done++, .is_jump_back = false});
    if (jumps_left[done] == 0) continue;
    --jumps_left[done];
    for (int64_t k = 0; k < resampling.jump; ++k) {
      plan.push_back({.index = --done, .is_jump_back = true});
    }
  }
  return plan;
}

bool run_sampler(Context& context, Sampler& sampler, const SamplingSchedule& schedule,
                 const Resampling& resampling, Denoiser& denoiser, Constraint* constraint,
                 const NoiseSource& noise, const Tensor& x, const StepCallback& after_step) {
  if (!after_step(0, x)) return false;
  const std::vector<Step> plan = plan_steps(sampler.steps(), resampling);
  int64_t number = 0;
  for (const Step& step : plan) {
    const NoiseLevel &before = schedule[step.index], &after = schedule[step.index + 1];
    if (step.is_jump_back) {
      add_noise_again(context, after, before, noise, number, x);
    } else {
      sampler.step(step.index, number, denoiser, noise, x);
      if (constraint != nullptr) constraint->after_step(after, number, noise, x);
    }
    if (!after_step(++number, x)) return false;
  }
  if (constraint != nullptr) constraint->at_end(x);
  return true;
}

}  // namespace ebb
