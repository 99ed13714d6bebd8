#include "diffusion/solvers.h"

#include <array>
#include <cmath>

#include "diffusion/combine.h"
#include "kernels/kernel_table.h"

namespace ebb {
namespace {

Tensor time_tensor(Context& context, double t) {
  return coefficients(context, std::array{t}).reshape({1, 1});
}

class LinearSampler final : public Sampler {
 public:
  LinearSampler(Context& context, const std::vector<LinearStep>& steps) : context_(context) {
    for (const LinearStep& step : steps) {
      std::vector<double> factors{step.x_factor, step.prediction_factor};
      if (step.noise_factor != 0) factors.push_back(step.noise_factor);
      DeviceStep made{.t = time_tensor(context, step.t),
                      .coefficients = coefficients(context, factors),
                      .log_deviation = {}};
      if (step.is_learned) made.log_deviation = coefficients(context, step.log_deviation);
      steps_.push_back(made);
    }
  }

  int64_t steps() const override { return static_cast<int64_t>(steps_.size()); }

  void step(int64_t index, int64_t move, Denoiser& denoiser, const ImageNoise& noise,
            const Tensor& x) override {
    const DeviceStep& step = steps_[index];
    const Prediction prediction = denoiser.predict(x, step.t);
    std::vector<Tensor> terms{x, prediction.value};
    if (step.coefficients.elements() == 3) terms.push_back(draw(noise, move, x.shape()));
    combine(context_, terms, step.coefficients, x);
    if (!step.log_deviation.defined()) return;
    EBB_CHECK(prediction.variance.defined(), Error,
              "sampler: a learned variance, but the model has none");
    context_.launch(&KernelTable::learned_noise, "learned_noise",
                    LearnedNoiseArgs{.count = x.elements(),
                                     .log_deviation = step.log_deviation.data<float>(),
                                     .x = x.data<float>(),
                                     .code = prediction.variance.data<float>(),
                                     .z = draw(noise, move, x.shape()).data<float>(),
                                     .y = x.data<float>()});
  }

 private:
  struct DeviceStep {
    Tensor t;              // [1, 1]
    Tensor coefficients;   // of x, prediction and, with fixed noise, z
    Tensor log_deviation;  // [2]; defined with learned noise
  };

  Tensor draw(const ImageNoise& noise, int64_t move, const Shape& shape) const {
    const Tensor z = Tensor::empty(context_, shape);
    noise.step(move, z);
    return z;
  }

  Context& context_;
  std::vector<DeviceStep> steps_;
};

// Heun's method for dx/dt = u(x, t): the mean of the slopes at both ends of an Euler step. The last
// step asks for t = 1, the limit of the times in training.
class HeunSampler final : public Sampler {
 public:
  HeunSampler(Context& context, const Walk& walk) : context_(context) {
    for (const NoiseLevel& level : walk) times_.push_back(time_tensor(context, level.time));
    for (size_t i = 0; i + 1 < walk.size(); ++i) {
      const double h = walk[i + 1].time - walk[i].time;
      euler_.push_back(coefficients(context, std::array{1.0, h}));
      average_.push_back(coefficients(context, std::array{1.0, h / 2, h / 2}));
    }
  }

  int64_t steps() const override { return static_cast<int64_t>(euler_.size()); }

  void step(int64_t index, int64_t, Denoiser& denoiser, const ImageNoise&,
            const Tensor& x) override {
    const Tensor slope = Tensor::empty(context_, x.shape());
    slope.copy_from(denoiser.predict(x, times_[index]).value);
    const Tensor ahead = Tensor::empty(context_, x.shape());
    combine(context_, std::array{x, slope}, euler_[index], ahead);
    const Tensor slope_ahead = denoiser.predict(ahead, times_[index + 1]).value;
    combine(context_, std::array{x, slope, slope_ahead}, average_[index], x);
  }

 private:
  Context& context_;
  std::vector<Tensor> euler_, average_;  // by step
  std::vector<Tensor> times_;            // steps + 1 of [1, 1]
};

// With lambda = log(signal / noise), the data prediction m = (x - noise eps) / signal and
// h = lambda' - lambda:
//   first order   x' = noise' / noise x - signal' (exp(-h) - 1) m
//   second order  m is replaced by m + (m - m_before) h / (2 h_before).
class DpmppSampler final : public Sampler {
 public:
  DpmppSampler(Context& context, const Walk& walk) : context_(context) {
    const auto lambda = [](const NoiseLevel& level) {
      return 0.5 * std::log(level.signal_power / level.noise_power);  // infinite without noise
    };
    const int64_t steps = step_count(walk);
    constexpr int64_t kFew = 15;
    const bool ends_first_order = walk.back().noise_power == 0 || steps < kFew;
    for (int64_t i = 0; i < steps; ++i) {
      const NoiseLevel &level = walk[i], &next = walk[i + 1];
      const double h = lambda(next) - lambda(level);
      const double x_factor = next.noise() / level.noise(),
                   m_factor = -next.signal() * std::expm1(-h);
      Step step{.t = time_tensor(context, level.time),
                .to_data = coefficients(
                    context, std::array{1 / level.signal(), -level.noise() / level.signal()}),
                .first = coefficients(context, std::array{x_factor, m_factor}),
                .second = {}};
      if (i > 0 && !(i + 1 == steps && ends_first_order)) {
        const double half = h / (lambda(level) - lambda(walk[i - 1])) / 2;
        step.second =
            coefficients(context, std::array{x_factor, m_factor * (1 + half), -m_factor * half});
      }
      steps_.push_back(step);
    }
  }

  int64_t steps() const override { return static_cast<int64_t>(steps_.size()); }

  void step(int64_t index, int64_t, Denoiser& denoiser, const ImageNoise&,
            const Tensor& x) override {
    const Step& step = steps_[index];
    const Tensor data = Tensor::empty(context_, x.shape());
    combine(context_, std::array{x, denoiser.predict(x, step.t).value}, step.to_data, data);
    // What came before counts only if it was the step before: not after a jump or another batch.
    const bool has_before = before_.defined() && before_index_ + 1 == index;
    if (step.second.defined() && has_before) {
      combine(context_, std::array{x, data, before_}, step.second, x);
    } else {
      combine(context_, std::array{x, data}, step.first, x);
    }
    before_ = data;
    before_index_ = index;
  }

 private:
  struct Step {
    Tensor t;        // [1, 1]
    Tensor to_data;  // of x and prediction
    Tensor first;    // of x and data
    Tensor second;   // of x, data and the data of the step before; undefined: first order
  };

  Context& context_;
  std::vector<Step> steps_;
  Tensor before_;
  int64_t before_index_ = -1;
};

}  // namespace

std::unique_ptr<Sampler> make_linear_sampler(Context& context,
                                             const std::vector<LinearStep>& steps) {
  return std::make_unique<LinearSampler>(context, steps);
}

std::unique_ptr<Sampler> make_heun_sampler(Context& context, const Walk& walk) {
  return std::make_unique<HeunSampler>(context, walk);
}

std::unique_ptr<Sampler> make_dpmpp_sampler(Context& context, const Walk& walk) {
  return std::make_unique<DpmppSampler>(context, walk);
}

}  // namespace ebb
