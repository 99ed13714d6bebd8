#include "diffusion/consistency.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "diffusion/combine.h"
#include "diffusion/step_graphs.h"

namespace ebb {
namespace {

double root(const Consistency& model, double sigma) { return std::pow(sigma, 1 / model.rho); }

class ConsistencySampler final : public Sampler {
 public:
  ConsistencySampler(Context& context, const SamplerSettings& settings,
                     const SamplingSchedule& schedule)
      : context_(context), thresholding_(settings.thresholding), graphs_(context, 6) {
    const double least = settings.consistency.sigma_min * settings.consistency.sigma_min;
    for (size_t i = 0; i + 1 < schedule.size(); ++i) {
      const double left = schedule[i + 1].one_minus_alpha_bar - least;
      steps_.push_back({.time = schedule[i].time,
                        .factors = consistency_factors(settings.consistency, schedule[i]),
                        .noise = left > 0 ? std::sqrt(left) : 0});
    }
  }

  int64_t steps() const override { return static_cast<int64_t>(steps_.size()); }
  int captured_graphs() const override { return graphs_.captured_graphs(); }

  void step(int64_t index, int64_t number, Denoiser& denoiser, const NoiseSource& noise,
            const Tensor& x) override {
    const Step& step = steps_[static_cast<size_t>(index)];
    const bool is_noisy = step.noise != 0;
    for (Tensor* scratch : {&seen_, &data_, &noise_}) {
      if (!scratch->defined() || scratch->shape() != x.shape()) {
        *scratch = Tensor::empty(context_, x.shape());
      }
    }
    if (is_noisy) noise.step(number, noise_);
    const std::array numbers{step.time, step.factors.input, step.factors.x, step.factors.output,
                             1.0,       step.noise};
    graphs_.run(denoiser, x, is_noisy ? 1 : 0, numbers, [&] {
      combine(context_, std::array{x}, graphs_.numbers(1, {1}), seen_);
      const Tensor output = denoiser.predict(seen_, graphs_.numbers(0, {1, 1})).value;
      combine(context_, std::array{x, output}, graphs_.numbers(2, {2}), data_);
      if (thresholding_) apply_threshold(context_, *thresholding_, data_);
      std::vector<Tensor> terms{data_};
      if (is_noisy) terms.push_back(noise_);
      combine(context_, terms, graphs_.numbers(4, {static_cast<int64_t>(terms.size())}), x);
    });
  }

 private:
  struct Step {
    double time;
    ConsistencyFactors factors;
    double noise;
  };

  Context& context_;
  std::optional<Thresholding> thresholding_;
  std::vector<Step> steps_;
  StepGraphs graphs_;           // time; input; of x and output; of data and noise
  Tensor seen_, data_, noise_;  // like x
};

}  // namespace

NoiseLevel consistency_level(const Consistency& model, double place) {
  const double high = root(model, model.sigma_max), low = root(model, model.sigma_min);
  const double sigma = std::pow(high + place * (low - high), model.rho);
  return {.alpha_bar = 1,
          .one_minus_alpha_bar = sigma * sigma,
          .time = 250 * std::log(sigma),
          .timestep = -1};
}

double place_of(const Consistency& model, const NoiseLevel& level) {
  const double high = root(model, model.sigma_max), low = root(model, model.sigma_min);
  const double place = (root(model, level.noise()) - high) / (low - high);
  return std::clamp(place, 0.0, 1.0);
}

SamplingSchedule consistency_schedule(const Objective& objective,
                                      std::span<const int64_t> timesteps) {
  const auto last = static_cast<double>(std::max<int64_t>(objective.timesteps - 1, 1));
  SamplingSchedule schedule;
  for (const int64_t index : timesteps) {
    schedule.push_back(consistency_level(objective.consistency, static_cast<double>(index) / last));
  }
  schedule.push_back({});
  return schedule;
}

SamplingSchedule consistency_schedule(const Objective& objective, int64_t steps) {
  std::vector<int64_t> timesteps;
  for (int64_t i = 0; i < steps; ++i) timesteps.push_back(i * (objective.timesteps / steps));
  return consistency_schedule(objective, timesteps);
}

SamplingSchedule consistency_schedule_from(const Objective& objective, const NoiseLevel& start,
                                           int64_t steps) {
  const double first = place_of(objective.consistency, start);
  SamplingSchedule schedule;
  for (int64_t i = 0; i < steps; ++i) {
    const double done = static_cast<double>(i) / static_cast<double>(steps);
    schedule.push_back(consistency_level(objective.consistency, first + (1 - first) * done));
  }
  schedule.push_back({});
  return schedule;
}

ConsistencyFactors consistency_factors(const Consistency& model, const NoiseLevel& level) {
  const double sigma = level.noise(), data = model.sigma_data;
  const double above = sigma - model.sigma_min, all = sigma * sigma + data * data;
  return {.input = 1 / std::sqrt(all),
          .x = data * data / (above * above + data * data),
          .output = above * data / std::sqrt(all)};
}

std::unique_ptr<Sampler> make_consistency(Context& context, const SamplerSettings& settings,
                                          const SamplingSchedule& schedule) {
  return std::make_unique<ConsistencySampler>(context, settings, schedule);
}

}  // namespace ebb
