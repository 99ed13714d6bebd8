#include "diffusion/sampler.h"

#include <array>
#include <cmath>

#include "diffusion/combine.h"
#include "engine/base/text.h"

namespace ebb {
namespace {

constexpr std::array kKinds = {SamplerKind::kDdpm, SamplerKind::kDdim, SamplerKind::kEuler,
                               SamplerKind::kHeun};

// A step as the device needs it.
struct DeviceStep {
  Tensor t;             // [1, 1]
  Tensor coefficients;  // of x, prediction and, with noise, z
};

Tensor time_tensor(Context& context, double t) {
  return coefficients(context, std::array{t}).reshape({1, 1});
}

class LinearSampler final : public Sampler {
 public:
  LinearSampler(Context& context, const std::vector<LinearStep>& steps) : context_(context) {
    for (const LinearStep& step : steps) {
      std::vector<double> factors{step.x_factor, step.prediction_factor};
      if (step.noise_factor != 0) factors.push_back(step.noise_factor);
      steps_.push_back({time_tensor(context, step.t), coefficients(context, factors)});
    }
  }

  int64_t steps() const override { return static_cast<int64_t>(steps_.size()); }

  void step(int64_t index, Denoiser& denoiser, const ImageNoise& noise, const Tensor& x) override {
    const DeviceStep& step = steps_[index];
    std::vector<Tensor> terms{x, denoiser.predict(x, step.t)};
    if (step.coefficients.elements() == 3) {
      terms.push_back(Tensor::empty(context_, x.shape()));
      noise.step(index, terms.back());
    }
    combine(context_, terms, step.coefficients, x);
  }

 private:
  Context& context_;
  std::vector<DeviceStep> steps_;
};

// Heun's method for dx/dt = u(x, t): the mean of the slopes at both ends of an Euler step. The last
// step asks for t = 1, the limit of the times in training.
class HeunSampler final : public Sampler {
 public:
  HeunSampler(Context& context, int64_t steps) : context_(context) {
    const double h = 1.0 / static_cast<double>(steps);
    euler_ = coefficients(context, std::array{1.0, h});
    average_ = coefficients(context, std::array{1.0, h / 2, h / 2});
    for (int64_t i = 0; i <= steps; ++i) {
      times_.push_back(time_tensor(context, static_cast<double>(i) / static_cast<double>(steps)));
    }
  }

  int64_t steps() const override { return static_cast<int64_t>(times_.size()) - 1; }

  void step(int64_t index, Denoiser& denoiser, const ImageNoise&, const Tensor& x) override {
    const Tensor slope = Tensor::empty(context_, x.shape());
    slope.copy_from(denoiser.predict(x, times_[index]));
    const Tensor ahead = Tensor::empty(context_, x.shape());
    combine(context_, std::array{x, slope}, euler_, ahead);
    const Tensor& slope_ahead = denoiser.predict(ahead, times_[index + 1]);
    combine(context_, std::array{x, slope, slope_ahead}, average_, x);
  }

 private:
  Context& context_;
  Tensor euler_, average_;
  std::vector<Tensor> times_;  // steps + 1 of [1, 1]
};

double network_time(const NoiseSchedule& schedule, int64_t k) {
  return static_cast<double>(k + 1) / static_cast<double>(schedule.timesteps());
}

// Calls make(k, k_next) for consecutive timesteps of a walk of `steps` steps down to -1.
template <typename Make>
std::vector<LinearStep> walk(const NoiseSchedule& schedule, int64_t steps, const Make& make) {
  std::vector<int64_t> ks = strided_timesteps(schedule.timesteps(), steps);
  ks.push_back(-1);
  std::vector<LinearStep> result;
  for (size_t i = 0; i + 1 < ks.size(); ++i) result.push_back(make(ks[i], ks[i + 1]));
  return result;
}

}  // namespace

const char* to_string(SamplerKind kind) {
  switch (kind) {
    case SamplerKind::kDdpm:
      return "ddpm";
    case SamplerKind::kDdim:
      return "ddim";
    case SamplerKind::kEuler:
      return "euler";
    case SamplerKind::kHeun:
      return "heun";
  }
  return "unknown";
}

SamplerKind parse_sampler(const std::string& name, const std::string& flag) {
  std::string expected;
  for (const SamplerKind kind : kKinds) {
    if (name == to_string(kind)) return kind;
    expected += (expected.empty() ? "" : ", ") + std::string(to_string(kind));
  }
  throw UsageError(cat(flag, " ", terminal_safe(name), ": must be one of ", expected));
}

bool fits(SamplerKind kind, const Objective& objective) {
  const bool is_flow = kind == SamplerKind::kEuler || kind == SamplerKind::kHeun;
  return objective.type == (is_flow ? ObjectiveType::kFlow : ObjectiveType::kDdpm);
}

SamplerKind default_sampler(const Objective& objective, const std::string& where) {
  for (const SamplerKind kind : {SamplerKind::kDdpm, SamplerKind::kEuler}) {
    if (fits(kind, objective)) return kind;
  }
  throw UsageError(cat(where, ": was trained as ", to_string(objective.type),
                       ", which cannot sample. Use a model trained as ddpm or flow."));
}

// In terms of x and the predicted noise eps, with x0 = (x - sqrt(1 - ab) eps) / sqrt(ab).
std::vector<LinearStep> ddpm_steps(const NoiseSchedule& schedule, int64_t steps) {
  return walk(schedule, steps, [&](int64_t k, int64_t k_next) {
    const AncestralStep step = ancestral_step(schedule, k, k_next);
    const double signal = schedule.signal(k);
    return LinearStep{.t = network_time(schedule, k),
                      .x_factor = step.c_xt + step.c_x0 / std::sqrt(signal),
                      .prediction_factor = -step.c_x0 * std::sqrt((1 - signal) / signal),
                      .noise_factor = k_next < 0 ? 0 : std::sqrt(step.beta)};
  });
}

std::vector<LinearStep> ddim_steps(const NoiseSchedule& schedule, int64_t steps) {
  return walk(schedule, steps, [&](int64_t k, int64_t k_next) {
    const double signal = schedule.signal(k), next = schedule.signal(k_next);
    const double x_factor = std::sqrt(next / signal);
    return LinearStep{.t = network_time(schedule, k),
                      .x_factor = x_factor,
                      .prediction_factor = std::sqrt(1 - next) - x_factor * std::sqrt(1 - signal),
                      .noise_factor = 0};
  });
}

std::vector<LinearStep> euler_steps(int64_t steps) {
  const double h = 1.0 / static_cast<double>(steps);
  std::vector<LinearStep> result;
  for (int64_t i = 0; i < steps; ++i) {
    result.push_back({.t = static_cast<double>(i) * h,
                      .x_factor = 1,
                      .prediction_factor = h,
                      .noise_factor = 0});
  }
  return result;
}

std::unique_ptr<Sampler> make_sampler(Context& context, SamplerKind kind,
                                      const Objective& objective, int64_t steps) {
  EBB_CHECK(fits(kind, objective) && steps >= 1, Error, "make_sampler: ", to_string(kind), " with ",
            steps, " steps on ", to_string(objective.type));
  switch (kind) {
    case SamplerKind::kDdpm:
      return std::make_unique<LinearSampler>(context, ddpm_steps(ddpm_schedule(objective), steps));
    case SamplerKind::kDdim:
      return std::make_unique<LinearSampler>(context, ddim_steps(ddpm_schedule(objective), steps));
    case SamplerKind::kEuler:
      return std::make_unique<LinearSampler>(context, euler_steps(steps));
    case SamplerKind::kHeun:
      return std::make_unique<HeunSampler>(context, steps);
  }
  throw Error("make_sampler: unknown sampler");
}

void run_sampler(Sampler& sampler, Denoiser& denoiser, const ImageNoise& noise, const Tensor& x,
                 const StepCallback& after_step) {
  after_step(0, x);
  for (int64_t i = 0; i < sampler.steps(); ++i) {
    sampler.step(i, denoiser, noise, x);
    after_step(i + 1, x);
  }
}

}  // namespace ebb
