#include "diffusion/sampler.h"

#include <cmath>

#include "diffusion/schedule.h"
#include "testing/catch.h"
#include "testing/contexts.h"
#include "testing/errors.h"
#include "testing/golden.h"
#include "tests/diffusion/golden_f64.h"

namespace ebb {
namespace {

using Catch::Matchers::Contains;

// Predicts by a formula on the host and keeps its inputs.
class FormulaDenoiser final : public Denoiser {
 public:
  using Formula = std::function<double(double x, double t)>;
  FormulaDenoiser(Context& context, Formula formula)
      : context_(context), formula_(std::move(formula)) {}

  Prediction predict(const Tensor& x, const Tensor& t) override {
    times.push_back(t.item());
    std::vector<float> values = x.to_host();
    for (float& value : values) value = static_cast<float>(formula_(value, times.back()));
    result_ = test::tensor_of(context_, x.shape(), values);
    return {.value = result_, .variance = variance};
  }

  Tensor variance;

  std::vector<float> times;

 private:
  Context& context_;
  Formula formula_;
  Tensor result_;
};

// All steps of a schedule on x, in place.
void run(
    Context& context, SamplerKind kind, const SamplingSchedule& schedule, Denoiser& denoiser,
    uint64_t seed, const Tensor& x,
    const StepCallback& after = [](int64_t, const Tensor&) { return true; }) {
  const auto sampler = make_sampler(context, {.kind = kind}, schedule);
  run_sampler(context, *sampler, schedule, {}, denoiser, nullptr, ImageNoise(context, seed), x,
              after);
}

// The update of a step by the golden file's f32 inputs, in double.
std::vector<double> apply(const LinearStep& step, const test::Golden& golden) {
  const std::vector<float> x = golden.values("x"), prediction = golden.values("prediction"),
                           noise = golden.values("noise");
  std::vector<double> y;
  for (size_t i = 0; i < x.size(); ++i) {
    y.push_back(step.x_factor * x[i] + step.prediction_factor * prediction[i] +
                step.noise_factor * noise[i]);
  }
  return y;
}

std::string compare_exact(const std::vector<double>& actual, const std::vector<double>& expected) {
  return test::compare_with(std::span(actual), std::span(expected), [](size_t) { return 1e-11; });
}

// The step whose timestep is k.
LinearStep step_at(const std::vector<LinearStep>& steps, int64_t k) {
  for (const LinearStep& step : steps) {
    if (std::llround(step.t * 300) == k + 1) return step;
  }
  throw Error("no such step");
}

TEST_CASE("DDPM steps are the golden ones") {
  const test::GoldenF64 expected("sampler_steps");
  const test::Golden inputs("sampler_steps");
  const std::vector<LinearStep> steps =
      ddpm_steps(full_schedule(Objective{}, 300), DdpmVariance::kFixedLarge);
  REQUIRE(steps.size() == 300);
  for (const int64_t k : {299, 120, 0}) {
    CHECK(compare_exact(apply(step_at(steps, k), inputs), expected[cat("ddpm.from_", k)]) == "");
  }
  CHECK(steps.back().noise_factor == 0);
}

TEST_CASE("DDIM steps are the golden ones") {
  const test::GoldenF64 expected("sampler_steps");
  const test::Golden inputs("sampler_steps");
  const auto step = [](int64_t k, int64_t k_next) {
    return ddim_steps({timestep_level(Objective{}, k), timestep_level(Objective{}, k_next)}, 0)[0];
  };
  CHECK(compare_exact(apply(step(299, 269), inputs), expected["ddim.from_299_to_269"]) == "");
  CHECK(compare_exact(apply(step(20, -1), inputs), expected["ddim.from_20_to_clean"]) == "");
  CHECK(compare_exact(apply(step(120, 90), inputs), expected["ddim.from_120_to_90"]) == "");
}

TEST_CASE("an Euler step is the golden one") {
  const test::GoldenF64 expected("sampler_steps");
  const test::Golden inputs("sampler_steps");
  CHECK(compare_exact(
            apply(euler_steps(full_schedule({.type = ObjectiveType::kFlow}, 50))[7], inputs),
            expected["flow.euler"]) == "");
}

TEST_CASE("the network's time is (k + 1) / T for DDPM, i / N for Euler and never 1") {
  const std::vector<LinearStep> ddpm =
      ddpm_steps(full_schedule(Objective{}, 300), DdpmVariance::kFixedLarge);
  CHECK(ddpm.front().t == 1);
  CHECK(ddpm.back().t == Approx(1.0 / 300).epsilon(1e-15));
  const std::vector<LinearStep> euler =
      euler_steps(full_schedule({.type = ObjectiveType::kFlow}, 50));
  CHECK(euler.front().t == 0);
  CHECK(euler.back().t == Approx(49.0 / 50).epsilon(1e-15));
}

TEST_CASE("fewer DDPM steps use the proper alpha ratio") {
  // With the true noise of a clean image c, every sampler must come back to c: the mean follows the
  // posterior, whatever the stride.
  const auto context = test::cpu_context();
  const NoiseSchedule noise = ddpm_schedule(Objective{});
  constexpr double kClean = 0.75;
  for (const int64_t steps : {300, 50, 7, 1}) {
    const auto noise_of = [&](double x, double t) {
      const double signal = noise.signal(std::llround(t * 300) - 1);
      return (x - std::sqrt(signal) * kClean) / std::sqrt(1 - signal);
    };
    for (const SamplerKind kind : {SamplerKind::kDdpm, SamplerKind::kDdim, SamplerKind::kDpmpp}) {
      FormulaDenoiser denoiser(*context, noise_of);
      const Tensor x = Tensor::empty(*context, {2, 4, 4, 1});
      ImageNoise(*context, 5).start(x);
      run(*context, kind, full_schedule(Objective{}, steps), denoiser, 5, x);
      for (const float value : x.to_host()) CHECK(value == Approx(kClean).margin(2e-4));
      CHECK(denoiser.times.size() == static_cast<size_t>(steps));
    }
  }
}

TEST_CASE("DDPM keeps the variance that its schedule prescribes") {
  // For data N(0, 1), x_t is N(0, 1) at every t and the best noise estimate is sqrt(1 - ab) x. A
  // step then gives sqrt(alpha) x + sqrt(beta) z: N(0, 1) again.
  const auto context = test::cpu_context();
  const NoiseSchedule noise = ddpm_schedule(Objective{});
  FormulaDenoiser denoiser(*context, [&](double x, double t) {
    return std::sqrt(1 - noise.signal(std::llround(t * 300) - 1)) * x;
  });
  const Tensor x = Tensor::empty(*context, {4, 64, 64, 1});
  ImageNoise(*context, 9).start(x);
  run(*context, SamplerKind::kDdpm, full_schedule(Objective{}, 300), denoiser, 9, x);
  double sum = 0, squares = 0;
  const std::vector<float> values = x.to_host();
  for (const float value : values) {
    sum += value;
    squares += double{value} * value;
  }
  const auto n = static_cast<double>(values.size());
  CHECK(sum / n == Approx(0).margin(0.05));
  CHECK(squares / n == Approx(1).margin(0.04));
}

TEST_CASE("Heun is of second order where Euler is of first") {
  // dx/dt = -x + t from x(0) = 2: x(1) = 3 / e.
  const auto context = test::cpu_context();
  const Objective flow{.type = ObjectiveType::kFlow};
  const auto error_of = [&](SamplerKind kind, int64_t steps) {
    FormulaDenoiser denoiser(*context, [](double x, double t) { return -x + t; });
    const Tensor x = test::tensor_of(*context, {1, 1, 1, 1}, {2});
    run(*context, kind, full_schedule(flow, steps), denoiser, 1, x);
    return std::fabs(double{x.item()} - 3 / std::exp(1.0));
  };
  CHECK(error_of(SamplerKind::kEuler, 20) / error_of(SamplerKind::kEuler, 40) ==
        Approx(2).margin(0.15));
  CHECK(error_of(SamplerKind::kHeun, 10) / error_of(SamplerKind::kHeun, 20) ==
        Approx(4).margin(0.4));
}

TEST_CASE("the callback sees the start, every step and the end") {
  const auto context = test::cpu_context();
  FormulaDenoiser denoiser(*context, [](double, double) { return 1.0; });
  const Tensor x = test::tensor_of(*context, {1, 1, 1, 1}, {3});
  std::vector<float> states;
  run(*context, SamplerKind::kEuler, full_schedule({.type = ObjectiveType::kFlow}, 4), denoiser, 1,
      x, [&](int64_t done, const Tensor& state) {
        CHECK(done == static_cast<int64_t>(states.size()));
        states.push_back(state.item());
        return true;
      });
  CHECK(states == std::vector<float>{3, 3.25, 3.5, 3.75, 4});
}

TEST_CASE("noise belongs to an image's seed, not to its place in a batch") {
  const auto context = test::cpu_context();
  const Tensor four = Tensor::empty(*context, {4, 5, 5, 3});
  const Tensor one = Tensor::empty(*context, {1, 5, 5, 3});
  ImageNoise(*context, 100).start(four);
  ImageNoise(*context, 102).start(one);
  CHECK(test::compare_bits(one, test::images(four, 2, 1)) == "");
  const std::vector<float> start = one.to_host();
  ImageNoise(*context, 102).step(0, one);
  CHECK(one.to_host() != start);
  const std::vector<float> first = one.to_host();
  ImageNoise(*context, 102).step(1, one);
  CHECK(one.to_host() != first);
}

TEST_CASE("samplers go with the objective that trained their path") {
  const Objective ddpm, flow{.type = ObjectiveType::kFlow},
      denoise{.type = ObjectiveType::kDenoise}, pure{.type = ObjectiveType::kPureNoise};
  CHECK(fits(SamplerKind::kDdpm, ddpm));
  CHECK(fits(SamplerKind::kDdim, ddpm));
  CHECK_FALSE(fits(SamplerKind::kEuler, ddpm));
  CHECK(fits(SamplerKind::kHeun, flow));
  CHECK_FALSE(fits(SamplerKind::kDdpm, flow));
  CHECK_FALSE(fits(SamplerKind::kEuler, denoise));
  CHECK(default_sampler(ddpm, "m") == SamplerKind::kDdpm);
  CHECK(default_sampler(flow, "m") == SamplerKind::kEuler);
  for (const Objective& objective : {denoise, pure}) {
    CHECK_THAT(test::message_of<UsageError>([&] { default_sampler(objective, "--model m"); }),
               Contains("--model m") && Contains(to_string(objective.type)));
  }
}

TEST_CASE("sampler names are read back, others are rejected with the flag") {
  for (const SamplerKind kind : {SamplerKind::kDdpm, SamplerKind::kDdim, SamplerKind::kDpmpp,
                                 SamplerKind::kEuler, SamplerKind::kHeun}) {
    CHECK(parse_sampler(to_string(kind), "--sampler") == kind);
  }
  CHECK(sampler_names() ==
        std::vector<std::string>{"ddpm", "ddim", "dpm++", "euler", "heun", "consistency"});
  CHECK(fitting_samplers({.type = ObjectiveType::kFlow}) == "euler or heun");
  CHECK_THAT(test::message_of<UsageError>([] { parse_sampler("plms", "--sampler"); }),
             Contains("--sampler plms") && Contains("heun"));
}

// --- the assignment's strided loop on its own schedule ---

// In f64, as the formulas have it; diffusers' f32 is in scheduler_config_test.cc.
const Objective kFloyd{.timesteps = 1000, .schedule = BetaSchedule::kSquaredCosine};

TEST_CASE("a learned variance lies between its bounds at the step's start, by the golden table") {
  // log variances of the 33 steps: index, smallest, largest.
  const struct {
    size_t i;
    double low, high;
  } table[] = {{0, -0.0583, -0.0548},  {10, -1.9112, -1.8595}, {20, -2.9216, -2.7843},
               {25, -3.5960, -3.3505}, {31, -6.0143, -4.8463}, {32, -10.1067, -5.6570}};
  const std::vector<LinearStep> steps =
      ddpm_steps(assignment_schedule(kFloyd), DdpmVariance::kLearnedRange);
  REQUIRE(steps.size() == 33);
  for (const auto& row : table) {
    const LinearStep& step = steps[row.i];
    INFO("step " << row.i);
    CHECK(step.is_learned);
    CHECK(step.noise_factor == 0);
    // Deviations, half the log variance, at codes -1 and 1.
    CHECK(2 * (step.log_deviation[0] - step.log_deviation[1]) == Approx(row.low).margin(6e-5));
    CHECK(2 * (step.log_deviation[0] + step.log_deviation[1]) == Approx(row.high).margin(6e-5));
  }
}

TEST_CASE("a learned variance reaches every element of the images") {
  const auto context = test::cpu_context();
  test::RandomData random(12);
  const Shape shape{2, 4, 3, 3};
  FormulaDenoiser denoiser(*context, [](double x, double) { return 0.5 * x; });
  denoiser.variance = test::normal_tensor(*context, shape, random);
  const Tensor x = test::normal_tensor(*context, shape, random);
  const SamplingSchedule whole = assignment_schedule(kFloyd), last = {whole[32], whole[33]};
  const std::vector<float> before = x.to_host(), code = denoiser.variance.to_host();
  const auto sampler = make_sampler(*context, {.variance = DdpmVariance::kLearnedRange}, last);
  run_sampler(*context, *sampler, last, {}, denoiser, nullptr, ImageNoise(*context, 3), x,
              [](int64_t, const Tensor&) { return true; });
  const Tensor eps = Tensor::empty(*context, shape);
  ImageNoise(*context, 3).step(0, eps);
  const std::vector<float> z = eps.to_host();
  // The assignment's formulas for t = 30 -> 0, in double.
  const double ab = whole[32].alpha_bar, ab_next = whole[33].alpha_bar;
  const double beta = 1 - ab / ab_next;
  std::vector<double> expected;
  for (size_t i = 0; i < before.size(); ++i) {
    const double x0 = (before[i] - std::sqrt(1 - ab) * 0.5 * before[i]) / std::sqrt(ab);
    const double mean = std::sqrt(ab_next) * beta / (1 - ab) * x0 +
                        std::sqrt(ab / ab_next) * (1 - ab_next) / (1 - ab) * before[i];
    const double share = (code[i] + 1) / 2;
    const double log_variance =
        share * std::log(beta) + (1 - share) * std::log((1 - ab_next) / (1 - ab) * beta);
    expected.push_back(mean + std::exp(log_variance / 2) * z[i]);
  }
  CHECK(test::compare(x.to_host(), expected, {.absolute = 2e-6}) == "");
}

TEST_CASE("a learned variance needs a model that predicts it") {
  const auto context = test::cpu_context();
  FormulaDenoiser denoiser(*context, [](double x, double) { return x; });
  const SamplingSchedule schedule = assignment_schedule(kFloyd);
  const auto sampler = make_sampler(*context, {.variance = DdpmVariance::kLearnedRange}, schedule);
  CHECK_THROWS_AS(
      sampler->step(0, 0, denoiser, ImageNoise(*context, 1), Tensor::zeros(*context, {1, 2, 2, 1})),
      Error);
}

TEST_CASE("the small variance is the posterior's") {
  const SamplingSchedule schedule = full_schedule(Objective{}, 300);
  const NoiseSchedule betas = ddpm_schedule(Objective{});
  const std::vector<LinearStep> small = ddpm_steps(schedule, DdpmVariance::kFixedSmall);
  const int64_t k = 120, i = 299 - k;
  const double expected = (1 - betas.alpha_bar[k - 1]) / (1 - betas.alpha_bar[k]) * betas.beta[k];
  CHECK(small[i].noise_factor == Approx(std::sqrt(expected)).epsilon(1e-10));
  CHECK(small.back().noise_factor == 0);
}

TEST_CASE("DDIM with eta 1 adds DDPM's small variance, with eta 0 nothing") {
  const SamplingSchedule schedule = full_schedule(Objective{}, 20);
  const std::vector<LinearStep> ddim = ddim_steps(schedule, 1),
                                ddpm = ddpm_steps(schedule, DdpmVariance::kFixedSmall);
  for (size_t i = 0; i < ddim.size(); ++i) {
    CHECK(ddim[i].noise_factor == Approx(ddpm[i].noise_factor).epsilon(1e-9));
    CHECK(ddim[i].x_factor + 1 == Approx(ddpm[i].x_factor + 1).epsilon(1e-9));
    CHECK(ddim[i].prediction_factor ==
          Approx(ddpm[i].prediction_factor).epsilon(1e-7).margin(1e-12));
    CHECK(ddim_steps(schedule, 0)[i].noise_factor == 0);
  }
}

TEST_CASE("DPM-Solver++ is of second order where DDIM is of first") {
  // Data N(0, s^2) on a fine schedule: the probability flow is known, x_end = x s / deviation.
  constexpr double kDeviation = 0.5;
  const Objective fine{.timesteps = 4000, .beta_start = 2.5e-5, .beta_end = 5e-3};
  const NoiseSchedule betas = ddpm_schedule(fine);
  const auto deviation = [&](int64_t k) {
    return std::sqrt(betas.signal(k) * kDeviation * kDeviation + 1 - betas.signal(k));
  };
  const auto context = test::cpu_context();
  const auto error_of = [&](SamplerKind kind, int64_t steps) {
    // Uniform in log(signal / noise) over a stretch that ends in noise: the solver's own variable.
    SamplingSchedule schedule;
    const auto lambda = [&](int64_t k) {
      return 0.5 * std::log(betas.signal(k) / (1 - betas.signal(k)));
    };
    const int64_t start = 3000, end = 400;
    int64_t k = start;
    for (int64_t i = 0; i <= steps; ++i) {
      const double wanted = lambda(start) + (lambda(end) - lambda(start)) * static_cast<double>(i) /
                                                static_cast<double>(steps);
      while (k > end && lambda(k) < wanted - 1e-12) --k;
      schedule.push_back(timestep_level(fine, k));
    }
    FormulaDenoiser denoiser(*context, [&](double x, double t) {
      const int64_t at = std::llround(t * 4000) - 1;
      return std::sqrt(1 - betas.signal(at)) * x / (deviation(at) * deviation(at));
    });
    const Tensor x = test::tensor_of(*context, {1, 1, 1, 1}, {1});
    run(*context, kind, schedule, denoiser, 1, x);
    return std::fabs(double{x.item()} - deviation(end) / deviation(start));
  };
  const double ddim = error_of(SamplerKind::kDdim, 16) / error_of(SamplerKind::kDdim, 32);
  const double dpmpp = error_of(SamplerKind::kDpmpp, 16) / error_of(SamplerKind::kDpmpp, 32);
  CHECK(ddim == Approx(2).margin(0.5));
  CHECK(dpmpp > 3);
  CHECK(error_of(SamplerKind::kDpmpp, 16) < error_of(SamplerKind::kDdim, 16) / 4);
}

TEST_CASE("without resampling the plan is the steps") {
  CHECK(plan_steps(3, {}) == std::vector<Step>{{0, false}, {1, false}, {2, false}});
}

TEST_CASE("resampling goes back as RePaint's schedule does") {
  // Their times for 6 steps, jumps of 2 and 2 passes: 5 4 3 2 3 4 3 2 1 0 1 2 1 0 -1.
  std::vector<int64_t> times = {5};
  for (const Step& step : plan_steps(6, {.jump = 2, .times = 2})) {
    times.push_back(step.is_jump_back ? 5 - step.index : 5 - step.index - 1);
  }
  CHECK(times == std::vector<int64_t>{5, 4, 3, 2, 3, 4, 3, 2, 1, 0, 1, 2, 1, 0, -1});
  CHECK(plan_steps(2, {.jump = 10, .times = 5}).size() == 2);
}

TEST_CASE(
    "going back noises as the forward process: variance 1 stays 1, each time with new noise") {
  // For data N(0, 1) every state is N(0, 1), forwards and backwards.
  const auto context = test::cpu_context();
  for (const Objective& objective : {Objective{}, kFloyd}) {
    const SamplingSchedule schedule = full_schedule(objective, 12);
    FormulaDenoiser denoiser(*context, [&](double x, double t) {
      for (const NoiseLevel& level : schedule) {
        if (std::fabs(level.time - t) < 1e-6 * std::max(1.0, t)) return level.noise() * x;
      }
      throw Error("no such time");
    });
    const auto sampler = make_sampler(*context, {}, schedule);
    const Tensor x = Tensor::empty(*context, {4, 64, 64, 1});
    ImageNoise(*context, 9).start(x);
    int64_t steps = 0;
    run_sampler(*context, *sampler, schedule, {.jump = 3, .times = 3}, denoiser, nullptr,
                ImageNoise(*context, 9), x, [&](int64_t done, const Tensor& state) {
                  steps = done;
                  if (done == 0) return true;
                  double squares = 0;
                  for (const float value : state.to_host()) squares += double{value} * value;
                  CHECK(squares / (4 * 64 * 64) == Approx(1).margin(0.06));
                  return true;
                });
    CHECK(steps == static_cast<int64_t>(plan_steps(12, {.jump = 3, .times = 3}).size()));
    CHECK(steps > 12);
  }
}

TEST_CASE("variance names are read back, others are refused by flag") {
  for (const DdpmVariance variance :
       {DdpmVariance::kFixedLarge, DdpmVariance::kFixedSmall, DdpmVariance::kLearnedRange}) {
    CHECK(parse_variance(to_string(variance), "--variance") == variance);
  }
  CHECK_THAT(test::message_of<UsageError>([] { parse_variance("tiny", "--variance"); }),
             Contains("--variance tiny") && Contains("fixed_small"));
}

}  // namespace
}  // namespace ebb
