// The samplers: how each takes a step, and the table of all.

#include <array>
#include <cmath>

#include "diffusion/combine.h"
#include "diffusion/consistency.h"
#include "diffusion/sampler.h"
#include "diffusion/schedule.h"
#include "diffusion/step_graphs.h"
#include "kernels/kernel_table.h"

namespace ebb {
namespace {

// A tensor like x that stays where it is as long as x keeps its shape.
void fit(Context& context, const Tensor& x, Tensor& scratch) {
  if (scratch.defined() && scratch.shape() == x.shape()) return;
  scratch = Tensor::empty(context, x.shape());
}

// x += exp(log_deviation[0] + log_deviation[1] * code) * z.
void add_learned_noise(Context& context, const Prediction& prediction, const Tensor& log_deviation,
                       const Tensor& z, const Tensor& x) {
  EBB_CHECK(prediction.variance.defined(), Error,
            "sampler: a learned variance, but the model has none");
  context.launch(&KernelTable::learned_noise,
                 LearnedNoiseArgs{.count = x.elements(),
                                  .log_deviation = log_deviation.data<float>(),
                                  .x = x.data<float>(),
                                  .code = prediction.variance.data<float>(),
                                  .z = z.data<float>(),
                                  .y = x.data<float>()});
}

class LinearSampler final : public Sampler {
 public:
  LinearSampler(Context& context, const std::vector<LinearStep>& steps)
      : context_(context), steps_(steps), graphs_(context, 6) {}

  int64_t steps() const override { return static_cast<int64_t>(steps_.size()); }
  int captured_graphs() const override { return graphs_.captured_graphs(); }

  void step(int64_t index, int64_t number, Denoiser& denoiser, const NoiseSource& noise,
            const Tensor& x) override {
    const LinearStep& step = steps_[index];
    const bool is_noisy = step.noise_factor != 0;
    if (is_noisy || step.is_learned) {
      fit(context_, x, noise_);
      noise.step(number, noise_);
    }
    const std::array numbers{step.t,
                             step.x_factor,
                             step.prediction_factor,
                             step.noise_factor,
                             step.log_deviation[0],
                             step.log_deviation[1]};
    graphs_.run(denoiser, x, (is_noisy ? 1 : 0) + (step.is_learned ? 2 : 0), numbers, [&] {
      const Prediction prediction = denoiser.predict(x, graphs_.numbers(0, {1, 1}));
      std::vector<Tensor> terms{x, prediction.value};
      if (is_noisy) terms.push_back(noise_);
      combine(context_, terms, graphs_.numbers(1, {static_cast<int64_t>(terms.size())}), x);
      if (step.is_learned) {
        add_learned_noise(context_, prediction, graphs_.numbers(4, {2}), noise_, x);
      }
    });
  }

 private:
  Context& context_;
  std::vector<LinearStep> steps_;
  // t; the factors of x, prediction and noise; log_deviation
  StepGraphs graphs_;
  Tensor noise_;  // like x
};

// DDPM whose estimate of the clean images is kept in their range before each step.
class ThresholdedSampler final : public Sampler {
 public:
  ThresholdedSampler(Context& context, const SamplerSettings& settings,
                     const SamplingSchedule& schedule)
      : context_(context), thresholding_(*settings.thresholding), graphs_(context, 8) {
    const std::vector<LinearStep> steps = ddpm_steps(schedule, settings.variance);
    for (size_t i = 0; i < steps.size(); ++i) {
      const NoiseLevel& level = schedule[i];
      const AncestralStep mean =
          ancestral_step(level.alpha_bar, schedule[i + 1].alpha_bar, level.is_single);
      steps_.push_back({.update = steps[i],
                        .to_data = data_factors(settings.prediction, level),
                        .x_factor = mean.c_xt,
                        .data_factor = mean.c_x0});
    }
  }

  int64_t steps() const override { return static_cast<int64_t>(steps_.size()); }
  int captured_graphs() const override { return graphs_.captured_graphs(); }

  void step(int64_t index, int64_t number, Denoiser& denoiser, const NoiseSource& noise,
            const Tensor& x) override {
    const Step& step = steps_[static_cast<size_t>(index)];
    const LinearStep& update = step.update;
    const bool is_noisy = update.noise_factor != 0;
    fit(context_, x, data_);
    if (is_noisy || update.is_learned) {
      fit(context_, x, noise_);
      noise.step(number, noise_);
    }
    const std::array numbers{
        update.t,         step.to_data[0],     step.to_data[1],         step.x_factor,
        step.data_factor, update.noise_factor, update.log_deviation[0], update.log_deviation[1]};
    graphs_.run(denoiser, x, (is_noisy ? 1 : 0) + (update.is_learned ? 2 : 0), numbers, [&] {
      const Prediction prediction = denoiser.predict(x, graphs_.numbers(0, {1, 1}));
      combine(context_, std::array{x, prediction.value}, graphs_.numbers(1, {2}), data_);
      apply_threshold(context_, thresholding_, data_);
      std::vector<Tensor> terms{x, data_};
      if (is_noisy) terms.push_back(noise_);
      combine(context_, terms, graphs_.numbers(3, {static_cast<int64_t>(terms.size())}), x);
      if (update.is_learned) {
        add_learned_noise(context_, prediction, graphs_.numbers(6, {2}), noise_, x);
      }
    });
  }

 private:
  struct Step {
    LinearStep update;              // t and noise
    std::array<double, 2> to_data;  // of x and prediction
    double x_factor, data_factor;
  };

  Context& context_;
  Thresholding thresholding_;
  std::vector<Step> steps_;
  StepGraphs graphs_;    // t; to_data; the factors of x, data and noise; log_deviation
  Tensor data_, noise_;  // like x
};

// Heun's method for dx/dt = u(x, t): the mean of the velocities at both ends of an Euler step. The
// last step evaluates t = 1, the limit of the times in training.
class HeunSampler final : public Sampler {
 public:
  HeunSampler(Context& context, const SamplingSchedule& schedule)
      : context_(context), schedule_(schedule), graphs_(context, 7) {}

  int64_t steps() const override { return step_count(schedule_); }
  int captured_graphs() const override { return graphs_.captured_graphs(); }

  void step(int64_t index, int64_t, Denoiser& denoiser, const NoiseSource&,
            const Tensor& x) override {
    fit(context_, x, drift_);
    fit(context_, x, ahead_);
    const double t = schedule_[index].time, t_next = schedule_[index + 1].time, h = t_next - t;
    const std::array numbers{t, t_next, 1.0, h, 1.0, h / 2, h / 2};
    graphs_.run(denoiser, x, 0, numbers, [&] {
      drift_.copy_from(denoiser.predict(x, graphs_.numbers(0, {1, 1})).value);
      combine(context_, std::array{x, drift_}, graphs_.numbers(2, {2}), ahead_);
      const Tensor drift_ahead = denoiser.predict(ahead_, graphs_.numbers(1, {1, 1})).value;
      combine(context_, std::array{x, drift_, drift_ahead}, graphs_.numbers(4, {3}), x);
    });
  }

 private:
  Context& context_;
  SamplingSchedule schedule_;
  StepGraphs graphs_;     // both times; 1, h; 1, h / 2, h / 2
  Tensor drift_, ahead_;  // like x
};

// With lambda = log(signal / noise), the data prediction m = (x - noise eps) / signal and
// h = lambda' - lambda:
//   first order   x' = noise' / noise x - signal' (exp(-h) - 1) m
//   second order  m is replaced by m + (m - m_before) h / (2 h_before).
class DpmppSampler final : public Sampler {
 public:
  DpmppSampler(Context& context, const SamplingSchedule& schedule, PredictionType prediction)
      : context_(context), graphs_(context, 6) {
    const auto lambda = [](const NoiseLevel& level) {
      return 0.5 * std::log(level.alpha_bar / level.one_minus_alpha_bar);  // infinite without noise
    };
    const int64_t steps = step_count(schedule);
    constexpr int64_t kMinSecondOrder = 15;
    const bool ends_first_order =
        schedule.back().one_minus_alpha_bar == 0 || steps < kMinSecondOrder;
    for (int64_t i = 0; i < steps; ++i) {
      const NoiseLevel &level = schedule[i], &next = schedule[i + 1];
      const double h = lambda(next) - lambda(level);
      Step step{.t = level.time,
                .to_data = data_factors(prediction, level),
                .x_factor = next.noise() / level.noise(),
                .data_factor = -next.signal() * std::expm1(-h)};
      if (i > 0 && !(i + 1 == steps && ends_first_order)) {
        step.is_second = true;
        step.half = h / (lambda(level) - lambda(schedule[i - 1])) / 2;
      }
      steps_.push_back(step);
    }
  }

  int64_t steps() const override { return static_cast<int64_t>(steps_.size()); }
  int captured_graphs() const override { return graphs_.captured_graphs(); }

  void step(int64_t index, int64_t, Denoiser& denoiser, const NoiseSource&,
            const Tensor& x) override {
    const Step& step = steps_[index];
    fit(context_, x, data_);
    fit(context_, x, before_);
    // The previous estimate counts only when it is of the step before: not after a jump back or in
    // another batch.
    const bool is_second = step.is_second && before_index_ + 1 == index;
    const double half = is_second ? step.half : 0;
    const std::array numbers{step.t,
                             step.to_data[0],
                             step.to_data[1],
                             step.x_factor,
                             step.data_factor * (1 + half),
                             -step.data_factor * half};
    graphs_.run(denoiser, x, is_second ? 1 : 0, numbers, [&] {
      const Tensor prediction = denoiser.predict(x, graphs_.numbers(0, {1, 1})).value;
      combine(context_, std::array{x, prediction}, graphs_.numbers(1, {2}), data_);
      std::vector<Tensor> terms{x, data_};
      if (is_second) terms.push_back(before_);
      combine(context_, terms, graphs_.numbers(3, {static_cast<int64_t>(terms.size())}), x);
      before_.copy_from(data_);
    });
    before_index_ = index;
  }

 private:
  struct Step {
    double t;
    std::array<double, 2> to_data;  // of x and prediction
    double x_factor, data_factor;
    bool is_second = false;
    double half = 0;  // h / (2 h_before)
  };

  Context& context_;
  std::vector<Step> steps_;
  StepGraphs graphs_;     // t; to_data; the factors of x, data and the data before
  Tensor data_, before_;  // like x
  int64_t before_index_ = -2;
};

std::unique_ptr<Sampler> make_ddpm(Context& context, const SamplerSettings& settings,
                                   const SamplingSchedule& schedule) {
  if (settings.thresholding) {
    return std::make_unique<ThresholdedSampler>(context, settings, schedule);
  }
  return std::make_unique<LinearSampler>(
      context,
      steps_by_prediction(ddpm_steps(schedule, settings.variance), schedule, settings.prediction));
}

std::unique_ptr<Sampler> make_ddim(Context& context, const SamplerSettings& settings,
                                   const SamplingSchedule& schedule) {
  return std::make_unique<LinearSampler>(
      context,
      steps_by_prediction(ddim_steps(schedule, settings.eta), schedule, settings.prediction));
}

std::unique_ptr<Sampler> make_dpmpp(Context& context, const SamplerSettings& settings,
                                    const SamplingSchedule& schedule) {
  return std::make_unique<DpmppSampler>(context, schedule, settings.prediction);
}

std::unique_ptr<Sampler> make_euler(Context& context, const SamplerSettings&,
                                    const SamplingSchedule& schedule) {
  return std::make_unique<LinearSampler>(context, euler_steps(schedule));
}

std::unique_ptr<Sampler> make_heun(Context& context, const SamplerSettings&,
                                   const SamplingSchedule& schedule) {
  return std::make_unique<HeunSampler>(context, schedule);
}

// The step counts of ddpm and euler are the assignment's.
constexpr std::array kSamplers = {
    SamplerInfo{.kind = SamplerKind::kDdpm,
                .name = "ddpm",
                .title = "DDPM",
                .objective = ObjectiveType::kDdpm,
                .steps = 0,
                .class_steps = 0,
                .evaluations = 1,
                .clips_schedule = false,
                .make = make_ddpm},
    SamplerInfo{.kind = SamplerKind::kDdim,
                .name = "ddim",
                .title = "DDIM",
                .objective = ObjectiveType::kDdpm,
                .steps = 50,
                .class_steps = 50,
                .evaluations = 1,
                .clips_schedule = false,
                .make = make_ddim},
    SamplerInfo{.kind = SamplerKind::kDpmpp,
                .name = "dpm++",
                .title = "DPM++ 2M",
                .objective = ObjectiveType::kDdpm,
                .steps = 20,
                .class_steps = 20,
                .evaluations = 1,
                .clips_schedule = true,
                .make = make_dpmpp},
    SamplerInfo{.kind = SamplerKind::kEuler,
                .name = "euler",
                .title = "Euler",
                .objective = ObjectiveType::kFlow,
                .steps = 50,
                .class_steps = 300,
                .evaluations = 1,
                .clips_schedule = false,
                .make = make_euler},
    SamplerInfo{.kind = SamplerKind::kHeun,
                .name = "heun",
                .title = "Heun",
                .objective = ObjectiveType::kFlow,
                .steps = 50,
                .class_steps = 50,
                .evaluations = 2,
                .clips_schedule = false,
                .make = make_heun},
    SamplerInfo{.kind = SamplerKind::kConsistency,
                .name = "consistency",
                .title = "Consistency",
                .objective = ObjectiveType::kConsistency,
                .steps = 1,
                .class_steps = 1,
                .evaluations = 1,
                .clips_schedule = false,
                .make = make_consistency},
};

}  // namespace

std::span<const SamplerInfo> samplers() { return kSamplers; }

}  // namespace ebb
