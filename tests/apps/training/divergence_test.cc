#include "apps/training/divergence.h"

#include "testing/catch.h"

namespace ebb {
namespace {

TEST_CASE("a run has diverged when its last losses are many times the first") {
  DivergenceGuard guard(1);
  guard.add(1, 1.2);
  for (int64_t step = 2; step <= 10; ++step) {
    guard.add(step, 20);
    CHECK(guard.has_diverged() == (step == 10));
  }
  CHECK(guard.recent() == Approx((1.2 + 9 * 20) / 10));
}

TEST_CASE("a spike is no divergence, but no state to keep") {
  DivergenceGuard guard(1);
  for (int64_t step = 1; step <= 20; ++step) guard.add(step, 0.1);
  CHECK(guard.is_sound());
  guard.add(21, 50);
  CHECK_FALSE(guard.has_diverged());
  CHECK_FALSE(guard.is_sound());
  for (int64_t step = 22; step <= 31; ++step) guard.add(step, 0.1);
  CHECK(guard.is_sound());
}

TEST_CASE("at the end of a run a few steps are enough") {
  DivergenceGuard guard(1);
  for (int64_t step = 1; step <= 5; ++step) guard.add(step, step == 1 ? 1 : 100);
  CHECK_FALSE(guard.has_diverged());
  CHECK(guard.has_diverged(/*is_last_step=*/true));
}

TEST_CASE("a run whose first steps were not seen is measured by what its task is about") {
  DivergenceGuard guard(1);
  for (int64_t step = 100; step <= 120; ++step) guard.add(step, step < 110 ? 0.01 : 0.9);
  CHECK_FALSE(guard.has_diverged());
  CHECK(guard.is_sound());
}

}  // namespace
}  // namespace ebb
