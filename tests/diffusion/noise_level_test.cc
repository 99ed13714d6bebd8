#include "diffusion/noise_level.h"

#include "diffusion/schedule.h"
#include "testing/catch.h"
#include "testing/contexts.h"
#include "testing/tensors.h"

namespace ebb {
namespace {

const Objective kFloyd{.timesteps = 1000,
                       .schedule = BetaSchedule::kSquaredCosine,
                       .time_input = TimeInput::kIndex,
                       .data_range = DataRange::kMinusOneToOne};
const Objective kFlow{.type = ObjectiveType::kFlow};

TEST_CASE("the strided list is the assignment's 34 levels on a thousand timesteps") {
  const SamplingSchedule schedule = assignment_schedule(kFloyd);
  REQUIRE(schedule.size() == 34);
  for (size_t i = 0; i < schedule.size(); ++i) {
    CHECK(schedule[i].timestep == 990 - 30 * static_cast<int64_t>(i));
    CHECK(schedule[i].time == static_cast<double>(schedule[i].timestep));
  }
  // The published values of alpha_bar.
  CHECK(schedule[0].alpha_bar == Approx(0.0001967174).epsilon(1e-6));
  CHECK(schedule[10].alpha_bar == Approx(0.214523).epsilon(1e-5));
  CHECK(schedule[33].alpha_bar == Approx(0.9999587).epsilon(1e-7));
}

TEST_CASE("the strided list scales to a shorter schedule and to flow") {
  const SamplingSchedule ddpm = assignment_schedule(Objective{});
  REQUIRE(ddpm.size() == 34);
  CHECK(ddpm[0].timestep == 297);
  CHECK(ddpm[10].timestep == 207);
  CHECK(ddpm[33].timestep == 0);
  CHECK(ddpm[10].time == Approx(208.0 / 300));
  const SamplingSchedule flow = assignment_schedule(kFlow);
  CHECK(flow[0].time == Approx(0.01));
  CHECK(flow[10].time == Approx(0.31));
  CHECK(flow[33].time == 1);
  CHECK(flow[33].one_minus_alpha_bar == 0);
  CHECK(assignment_schedule({.timesteps = 10}).size() == 10);
}

TEST_CASE("signal and noise are what they are on each path") {
  const NoiseLevel k = timestep_level(Objective{}, 120);
  const NoiseSchedule schedule = ddpm_schedule(Objective{});
  CHECK(k.signal() == std::sqrt(schedule.alpha_bar[120]));
  CHECK(k.noise() == std::sqrt(1 - schedule.alpha_bar[120]));
  CHECK(timestep_level(Objective{}, -1).signal() == 1);
  CHECK(timestep_level(Objective{}, -1).noise() == 0);
  const NoiseLevel half = scale_level(kFlow, 250);
  CHECK(half.signal() == Approx(0.75));
  CHECK(half.noise() == Approx(0.25));
}

TEST_CASE("full schedules go from pure noise to the clean image") {
  const SamplingSchedule ddpm = full_schedule(Objective{}, 10);
  REQUIRE(ddpm.size() == 11);
  CHECK(ddpm.front().timestep == 299);
  CHECK(ddpm[1].timestep == 269);
  CHECK(ddpm.back().timestep == -1);
  const SamplingSchedule flow = full_schedule(kFlow, 4);
  REQUIRE(flow.size() == 5);
  CHECK(flow.front().time == 0);
  CHECK(flow[1].time == 0.25);
  CHECK(flow.back().time == 1);
}

TEST_CASE("a schedule from a level starts there and ends clean") {
  const SamplingSchedule ddpm = schedule_from(Objective{}, timestep_level(Objective{}, 120), 7);
  REQUIRE(ddpm.size() == 8);
  CHECK(ddpm.front().timestep == 120);
  CHECK(ddpm.back().timestep == -1);
  const SamplingSchedule flow = schedule_from(kFlow, scale_level(kFlow, 690), 3);
  CHECK(flow.front().time == Approx(0.31));
  CHECK(flow[1].time == Approx(0.54));
  CHECK(flow.back().time == 1);
}

TEST_CASE("clipping starts a cosine schedule where there is signal, and a linear one at its end") {
  const SamplingSchedule floyd = clipped_schedule(kFloyd, 20);
  const auto lambda = [](const NoiseLevel& level) {
    return 0.5 * std::log(level.alpha_bar / level.one_minus_alpha_bar);
  };
  CHECK(lambda(floyd.front()) >= -5.1);
  CHECK(lambda(timestep_level(kFloyd, floyd.front().timestep + 1)) < -5.1);
  CHECK(clipped_schedule(Objective{}, 20).front().timestep == 299);
}

TEST_CASE("levels are named on the assignment's scale") {
  CHECK(scale_text(kFloyd, scale_level(kFloyd, 690)) == "690");
  CHECK(scale_text(Objective{}, scale_level(Objective{}, 690)) == "690");
  CHECK(scale_text(kFlow, scale_level(kFlow, 690)) == "690");
}

TEST_CASE("the noisy image and the exact prediction give the image back") {
  const auto context = test::cpu_context();
  test::RandomData random(4);
  const Shape shape{2, 5, 4, 3};
  const Tensor image = test::normal_tensor(*context, shape, random);
  const Tensor eps = test::normal_tensor(*context, shape, random);
  for (const Objective& objective : {Objective{}, kFlow}) {
    const NoiseLevel level = scale_level(objective, 500);
    const Tensor x = add_noise(*context, level, image, eps);
    std::vector<double> expected;
    std::vector<float> exact;
    for (size_t i = 0; i < image.to_host().size(); ++i) {
      const double clean = image.to_host()[i], noise = eps.to_host()[i];
      expected.push_back(std::sqrt(level.alpha_bar) * clean +
                         std::sqrt(level.one_minus_alpha_bar) * noise);
      const bool is_flow = objective.type == ObjectiveType::kFlow;
      exact.push_back(static_cast<float>(is_flow ? clean - noise : noise));
    }
    CHECK(test::compare(x.to_host(), expected, {.absolute = 1e-6}) == "");
    const Tensor prediction = test::tensor_of(*context, shape, exact);
    CHECK(test::compare(clean_estimate(*context, objective, level, x, prediction).to_host(),
                        test::to_double(image.to_host()), {.absolute = 2e-6}) == "");
  }
  const Objective denoise{.type = ObjectiveType::kDenoise};
  CHECK(test::compare_bits(clean_estimate(*context, denoise, {}, eps, image), image) == "");
}

}  // namespace
}  // namespace ebb
