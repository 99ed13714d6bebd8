#include "diffusion/sampler.h"

#include <cmath>

#include "tests/diffusion/golden_f64.h"
#include "tests/support/catch.h"
#include "tests/support/contexts.h"
#include "tests/support/errors.h"
#include "tests/support/golden.h"

namespace ebb {
namespace {

using Catch::Matchers::Contains;

// Predicts by a formula on the host and keeps what it was asked.
class FormulaDenoiser final : public Denoiser {
 public:
  using Formula = std::function<double(double x, double t)>;
  FormulaDenoiser(Context& context, Formula formula)
      : context_(context), formula_(std::move(formula)) {}

  const Tensor& predict(const Tensor& x, const Tensor& t) override {
    times.push_back(t.item());
    std::vector<float> values = x.to_host();
    for (float& value : values) value = static_cast<float>(formula_(value, times.back()));
    result_ = test::tensor_of(context_, x.shape(), values);
    return result_;
  }

  std::vector<float> times;

 private:
  Context& context_;
  Formula formula_;
  Tensor result_;
};

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
  const std::vector<LinearStep> steps = ddpm_steps(ddpm_schedule(Objective{}), 300);
  REQUIRE(steps.size() == 300);
  for (const int64_t k : {299, 120, 0}) {
    CHECK(compare_exact(apply(step_at(steps, k), inputs), expected[cat("ddpm.from_", k)]) == "");
  }
  CHECK(steps.back().noise_factor == 0);
}

TEST_CASE("DDIM steps are the golden ones") {
  const test::GoldenF64 expected("sampler_steps");
  const test::Golden inputs("sampler_steps");
  const NoiseSchedule schedule = ddpm_schedule(Objective{});
  const std::vector<LinearStep> ten = ddim_steps(schedule, 10);
  CHECK(compare_exact(apply(step_at(ten, 299), inputs), expected["ddim.from_299_to_269"]) == "");
  // Schedules cut off behind k stride from there.
  const auto cut = [&](int64_t timesteps) {
    NoiseSchedule result = schedule;
    for (auto* table : {&result.beta, &result.alpha, &result.alpha_bar}) table->resize(timesteps);
    return result;
  };
  CHECK(compare_exact(apply(ddim_steps(cut(21), 1)[0], inputs),
                      expected["ddim.from_20_to_clean"]) == "");
  const std::vector<LinearStep> four = ddim_steps(cut(121), 4);  // 120, 90, 60, 29
  CHECK(compare_exact(apply(four[0], inputs), expected["ddim.from_120_to_90"]) == "");
}

TEST_CASE("an Euler step is the golden one") {
  const test::GoldenF64 expected("sampler_steps");
  const test::Golden inputs("sampler_steps");
  CHECK(compare_exact(apply(euler_steps(50)[7], inputs), expected["flow.euler"]) == "");
}

TEST_CASE("DDPM tells the network (k + 1) / T, Euler i / N and never 1") {
  const std::vector<LinearStep> ddpm = ddpm_steps(ddpm_schedule(Objective{}), 300);
  CHECK(ddpm.front().t == 1);
  CHECK(ddpm.back().t == Approx(1.0 / 300).epsilon(1e-15));
  const std::vector<LinearStep> euler = euler_steps(50);
  CHECK(euler.front().t == 0);
  CHECK(euler.back().t == Approx(49.0 / 50).epsilon(1e-15));
}

TEST_CASE("fewer DDPM steps use the proper alpha ratio") {
  // With the true noise of a clean image c, every sampler must come back to c: the mean follows the
  // posterior, whatever the stride.
  const auto context = test::cpu_context();
  const NoiseSchedule schedule = ddpm_schedule(Objective{});
  constexpr double kClean = 0.75;
  for (const int64_t steps : {300, 50, 7, 1}) {
    const auto noise_of = [&](double x, double t) {
      const double signal = schedule.signal(std::llround(t * 300) - 1);
      return (x - std::sqrt(signal) * kClean) / std::sqrt(1 - signal);
    };
    for (const SamplerKind kind : {SamplerKind::kDdpm, SamplerKind::kDdim}) {
      FormulaDenoiser denoiser(*context, noise_of);
      const auto sampler = make_sampler(*context, kind, Objective{}, steps);
      const ImageNoise noise(*context, 5);
      const Tensor x = Tensor::empty(*context, {2, 4, 4, 1});
      noise.start(x);
      run_sampler(*sampler, denoiser, noise, x, [](int64_t, const Tensor&) {});
      for (const float value : x.to_host()) CHECK(value == Approx(kClean).margin(2e-4));
      CHECK(denoiser.times.size() == static_cast<size_t>(steps));
    }
  }
}

TEST_CASE("DDPM keeps the variance that its schedule prescribes") {
  // For data N(0, 1), x_t is N(0, 1) at every t and the best noise estimate is sqrt(1 - ab) x. A
  // step then gives sqrt(alpha) x + sqrt(beta) z: N(0, 1) again.
  const auto context = test::cpu_context();
  const NoiseSchedule schedule = ddpm_schedule(Objective{});
  FormulaDenoiser denoiser(*context, [&](double x, double t) {
    return std::sqrt(1 - schedule.signal(std::llround(t * 300) - 1)) * x;
  });
  const auto sampler = make_sampler(*context, SamplerKind::kDdpm, Objective{}, 300);
  const ImageNoise noise(*context, 9);
  const Tensor x = Tensor::empty(*context, {4, 64, 64, 1});
  noise.start(x);
  run_sampler(*sampler, denoiser, noise, x, [](int64_t, const Tensor&) {});
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
    const auto sampler = make_sampler(*context, kind, flow, steps);
    const Tensor x = test::tensor_of(*context, {1, 1, 1, 1}, {2});
    run_sampler(*sampler, denoiser, ImageNoise(*context, 1), x, [](int64_t, const Tensor&) {});
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
  const auto sampler =
      make_sampler(*context, SamplerKind::kEuler, {.type = ObjectiveType::kFlow}, 4);
  const Tensor x = test::tensor_of(*context, {1, 1, 1, 1}, {3});
  std::vector<float> seen;
  run_sampler(*sampler, denoiser, ImageNoise(*context, 1), x,
              [&](int64_t done, const Tensor& state) {
                CHECK(done == static_cast<int64_t>(seen.size()));
                seen.push_back(state.item());
              });
  CHECK(seen == std::vector<float>{3, 3.25, 3.5, 3.75, 4});
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

TEST_CASE("sampler names are read back, others are refused by flag") {
  for (const SamplerKind kind :
       {SamplerKind::kDdpm, SamplerKind::kDdim, SamplerKind::kEuler, SamplerKind::kHeun}) {
    CHECK(parse_sampler(to_string(kind), "--sampler") == kind);
  }
  CHECK_THAT(test::message_of<UsageError>([] { parse_sampler("plms", "--sampler"); }),
             Contains("--sampler plms") && Contains("heun"));
}

}  // namespace
}  // namespace ebb
