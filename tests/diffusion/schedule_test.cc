#include "diffusion/schedule.h"

#include <algorithm>
#include <cmath>
#include <functional>

#include "testing/catch.h"
#include "testing/compare.h"
#include "tests/diffusion/golden_f64.h"

namespace ebb {
namespace {

std::string compare_tables(const std::vector<double>& actual, const std::vector<double>& expected,
                           double relative) {
  return test::compare_with(std::span(actual), std::span(expected),
                            [&](size_t i) { return relative * std::fabs(expected[i]); });
}

TEST_CASE("the DDPM tables are the assignment's") {
  const test::GoldenF64 golden("schedules");
  const NoiseSchedule schedule = ddpm_schedule(Objective{});
  REQUIRE(schedule.timesteps() == 300);
  CHECK(compare_tables(schedule.beta, golden["ddpm.beta"], 1e-14) == "");
  CHECK(compare_tables(schedule.alpha, golden["ddpm.alpha"], 1e-15) == "");
  CHECK(compare_tables(schedule.alpha_bar, golden["ddpm.alpha_bar"], 1e-13) == "");
}

TEST_CASE("the DDPM tables have the published values") {
  const NoiseSchedule t300 = linear_schedule(300, 1e-4, 0.02);
  CHECK(t300.alpha_bar[299] == Approx(0.048058).epsilon(1e-5));
  CHECK(t300.alpha_bar[150] == Approx(0.46235).epsilon(2e-5));
  CHECK(linear_schedule(400, 1e-4, 0.02).alpha_bar[399] == Approx(0.017473).epsilon(1e-4));
  CHECK(linear_schedule(1000, 1e-4, 0.02).alpha_bar[999] == Approx(4.0358e-5).epsilon(1e-4));
}

TEST_CASE("the squared cosine tables are those of DeepFloyd IF") {
  const test::GoldenF64 golden("schedules");
  const NoiseSchedule schedule = squared_cosine_schedule(1000);
  // 1 - a/b loses the digits that the quotient shares with 1: beta starts at 4e-5.
  CHECK(compare_tables(schedule.beta, golden["if.beta"], 1e-10) == "");
  CHECK(compare_tables(schedule.alpha_bar, golden["if.alpha_bar"], 1e-11) == "");
  CHECK(schedule.beta[999] == 0.999);
  CHECK(schedule.beta[0] == Approx(4.1284e-5).epsilon(1e-4));
  CHECK(schedule.alpha_bar[990] == Approx(0.00019671738).epsilon(1e-7));
  CHECK(schedule.alpha_bar[950] == Approx(0.00582015).epsilon(1e-5));
  CHECK(schedule.alpha_bar[0] == Approx(0.999958716).epsilon(1e-9));
}

TEST_CASE("the course's 33 strided steps have the golden coefficients") {
  const test::GoldenF64 golden("schedules");
  const NoiseSchedule schedule = squared_cosine_schedule(1000);
  std::vector<double> alpha, beta, c_x0, c_xt;
  for (int64_t k = 990; k > 0; k -= 30) {
    const AncestralStep step = ancestral_step(schedule, k, k - 30);
    alpha.push_back(step.alpha);
    beta.push_back(step.beta);
    c_x0.push_back(step.c_x0);
    c_xt.push_back(step.c_xt);
  }
  CHECK(compare_tables(alpha, golden["if.course.alpha"], 1e-11) == "");
  CHECK(compare_tables(beta, golden["if.course.beta"], 1e-9) == "");
  CHECK(compare_tables(c_x0, golden["if.course.c_x0"], 1e-9) == "");
  CHECK(compare_tables(c_xt, golden["if.course.c_xt"], 1e-9) == "");
}

TEST_CASE("a step between neighbors has the tables' own alpha and beta") {
  const NoiseSchedule schedule = ddpm_schedule(Objective{});
  for (const int64_t k : {0, 1, 150, 299}) {
    const AncestralStep step = ancestral_step(schedule, k, k - 1);
    CHECK(step.alpha == Approx(schedule.alpha[k]).epsilon(1e-13));
    CHECK(step.beta == Approx(schedule.beta[k]).epsilon(1e-11));
  }
}

TEST_CASE("all timesteps in order when there are as many steps") {
  const std::vector<int64_t> steps = strided_timesteps(300, 300);
  REQUIRE(steps.size() == 300);
  for (int64_t i = 0; i < 300; ++i) CHECK(steps[i] == 299 - i);
}

TEST_CASE("fewer steps start at full noise and stride evenly to the clean image") {
  CHECK(strided_timesteps(300, 10) ==
        std::vector<int64_t>{299, 269, 239, 209, 179, 149, 119, 89, 59, 29});
  CHECK(strided_timesteps(300, 1) == std::vector<int64_t>{299});
  CHECK(strided_timesteps(1, 1) == std::vector<int64_t>{0});
  bool descends = true;
  for (int64_t timesteps : {7, 300, 1000}) {
    for (int64_t steps = 1; steps <= timesteps; ++steps) {
      const std::vector<int64_t> ks = strided_timesteps(timesteps, steps);
      descends = descends && ks.front() == timesteps - 1 && ks.back() >= 0 &&
                 std::adjacent_find(ks.begin(), ks.end(), std::less_equal<>()) == ks.end();
    }
  }
  CHECK(descends);
}

}  // namespace
}  // namespace ebb
