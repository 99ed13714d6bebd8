#include "kernels/loss/learned_range_loss.h"

#include <cmath>
#include <vector>

#include "testing/backend.h"
#include "testing/catch.h"
#include "testing/compare.h"
#include "testing/cpu_stream.h"
#include "testing/random_data.h"
#include "testing/reference/learned_range_loss.h"

namespace ebb::test {
namespace {

struct Case {
  int64_t n, pixels, c;
  float vlb_weight = 0.5f;
  std::vector<float> prediction, noise, images;
  std::vector<LearnedRangeStep> steps;

  Case(int64_t batch, int64_t image_pixels, int64_t channels)
      : n(batch), pixels(image_pixels), c(channels) {
    RandomData random(7);
    const int64_t count = n * pixels * c;
    prediction = random.normal(2 * count);
    noise = random.normal(count);
    images = random.uniform(count, -1.05, 1.05);  // some at the first and last level
    for (int64_t i = 0; i < n; ++i) {
      const float first = i % 3 == 1 ? 1 : 0;
      steps.push_back({-9.0f + 3 * static_cast<float>(i % 2), -4.0f, 0.02f, first});
    }
  }

  reference::LearnedRangeLoss expected() const {
    std::vector<double> numbers;
    for (const LearnedRangeStep& s : steps) {
      for (float number : {s.min_log, s.max_log, s.gap, s.is_first}) numbers.push_back(number);
    }
    return {n, pixels, c, vlb_weight, to_double(noise), to_double(images), numbers};
  }

  float forward(int threads = 1) const {
    float loss = NAN;
    KernelCall call;
    call.run(
        &KernelTable::learned_range_loss_forward,
        {n, pixels, c, vlb_weight, call.in(prediction), call.in(noise), call.in(images),
         call.in(steps), call.out(loss),
         call.scratch(current_kernels().learned_range_loss_workspace_bytes.fn(n * pixels * c))},
        threads);
    return loss;
  }

  std::vector<float> backward(float dloss, int threads = 1) const {
    std::vector<float> gradient(prediction.size(), NAN);
    const std::vector<float> scale = {dloss};
    KernelCall call;
    call.run(&KernelTable::learned_range_loss_backward,
             {n, pixels, c, vlb_weight, call.in(prediction), call.in(noise), call.in(images),
              call.in(steps), call.in(scale), call.out(gradient)},
             threads);
    return gradient;
  }
};

TEST_CASE("learned_range_loss: loss and gradient follow the paper's code", "[kernels]") {
  const TestBackend backend(GENERATE(from_range(test_backends())));
  const int64_t n = GENERATE(1, 2, 5), pixels = GENERATE(1, 13, 64), c = GENERATE(1, 3);
  CAPTURE(backend.name(), n, pixels, c);
  const Case test(n, pixels, c);
  const reference::LearnedRangeLoss reference = test.expected();
  const double expected = reference.loss(to_double(test.prediction));
  const float loss = test.forward();
  CHECK(compare(std::span(&loss, 1), std::span(&expected, 1), {0, 4 * kEps32}) == "");
  // Differences leave some 1e-9 of the largest term.
  if (n * pixels * c <= 200) {
    const std::vector<double> gradient = reference.gradient(to_double(test.prediction), 0.3f);
    CHECK(compare(test.backward(0.3f), gradient, {1e-7, 1e-5}) == "");
  }
  for (int threads : kThreadCounts) {
    CHECK(test.forward(threads) == loss);
    CHECK(compare_bits(test.backward(0.3f, threads), test.backward(0.3f)) == "");
  }
}

TEST_CASE("learned_range_loss: sums of many numbers do not depend on threads", "[kernels]") {
  const TestBackend backend(GENERATE(from_range(test_backends())));
  const Case test(3, 8191, 3);
  const double expected = test.expected().loss(to_double(test.prediction));
  const float loss = test.forward();
  CHECK(compare(std::span(&loss, 1), std::span(&expected, 1), {0, 4 * kEps32}) == "");
  for (int threads : kThreadCounts) CHECK(test.forward(threads) == loss);
}

TEST_CASE("learned_range_loss: a level far from the mean has no gradient but for the noise",
          "[kernels]") {
  const TestBackend backend(GENERATE(from_range(test_backends())));
  Case test(2, 4, 1);
  test.images.assign(8, 0.0f);
  for (size_t i = 0; i < 16; ++i) test.prediction[i] = i % 2 == 0 ? 50 : 0;
  const std::vector<float> gradient = test.backward(1);
  const double least = -std::log2(1e-12);
  CHECK(test.expected().parts(to_double(test.prediction)).bits > least / 2);
  for (size_t i = 8; i < 16; ++i) {  // the second image's step is a first one
    CAPTURE(i);
    CHECK((gradient[i] == 0) == (i % 2 == 1));
  }
}

TEST_CASE("learned_range_loss: a NaN anywhere makes the loss NaN", "[kernels]") {
  const TestBackend backend(GENERATE(from_range(test_backends())));
  Case test(2, 13, 3);
  CHECK(std::isfinite(test.forward()));
  const size_t where = GENERATE(0u, 5u, 100u);
  test.prediction[where] = NAN;
  CHECK(std::isnan(test.forward()));
}

}  // namespace
}  // namespace ebb::test
