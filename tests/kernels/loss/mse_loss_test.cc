#include "kernels/loss/mse_loss.h"

#include <cmath>
#include <vector>

#include "testing/backend.h"
#include "testing/catch.h"
#include "testing/compare.h"
#include "testing/cpu_stream.h"
#include "testing/gradcheck.h"
#include "testing/random_data.h"
#include "testing/reference/mse_loss.h"

namespace ebb::test {
namespace {

float forward(const std::vector<float>& prediction, const std::vector<float>& target,
              int threads = 1) {
  const int64_t count = static_cast<int64_t>(prediction.size());
  float loss = NAN;
  KernelCall call;
  call.run(&KernelTable::mse_loss_forward,
           {count, DType::kF32, call.in(prediction), call.in(target), call.out(loss),
            call.scratch(current_kernels().mse_loss_workspace_bytes.fn(count))},
           threads);
  return loss;
}

std::vector<float> backward(const std::vector<float>& prediction, const std::vector<float>& target,
                            float dloss, int threads = 1) {
  std::vector<float> gradient(prediction.size(), NAN);
  const std::vector<float> scale = {dloss};
  KernelCall call;
  call.run(&KernelTable::mse_loss_backward,
           {static_cast<int64_t>(prediction.size()), DType::kF32, call.in(prediction),
            call.in(target), call.in(scale), call.out(gradient)},
           threads);
  return gradient;
}

TEST_CASE("mse_loss: loss and gradient follow the definition for any count", "[kernels]") {
  const TestBackend backend(GENERATE(from_range(test_backends())));
  const int64_t count = GENERATE(1, 2, 7, 8, 9, 784, 16384, 16385, 100003);
  CAPTURE(count);
  RandomData random(1);
  const std::vector<float> p = random.normal(count, 2), t = random.normal(count);
  const double expected = reference::mse_loss(to_double(p), to_double(t));
  const float loss = forward(p, t);
  CHECK(compare(std::span(&loss, 1), std::span(&expected, 1), {0, kEps32}) == "");

  const float dloss = 0.3f;
  const std::vector<double> gradient =
      reference::mse_loss_backward(to_double(p), to_double(t), dloss);
  CHECK(compare(backward(p, t, dloss), gradient, {0, 3 * kEps32}) == "");
  for (int threads : kThreadCounts) {
    CHECK(forward(p, t, threads) == loss);
    CHECK(compare_bits(backward(p, t, dloss, threads), backward(p, t, dloss)) == "");
  }
}

TEST_CASE("mse_loss: a NaN anywhere makes the loss NaN", "[kernels]") {
  const TestBackend backend(GENERATE(from_range(test_backends())));
  const size_t where = GENERATE(0u, 5u, 20002u);
  std::vector<float> p(20003, 1.0f), t(20003, 0.5f);
  CHECK(forward(p, t) == 0.25f);
  p[where] = NAN;
  CHECK(std::isnan(forward(p, t)));
}

TEST_CASE("mse_loss: the reference gradient is the derivative of the reference", "[kernels]") {
  RandomData random(2);
  const std::vector<double> p = to_double(random.normal(10)), t = to_double(random.normal(10));
  const auto loss = [&](std::span<const double> at) { return reference::mse_loss(at, t); };
  CHECK(gradcheck(loss, p, reference::mse_loss_backward(p, t, 1)) == "");
}

}  // namespace
}  // namespace ebb::test
