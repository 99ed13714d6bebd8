#include "kernels/pointwise/activation.h"

#include <array>
#include <cmath>
#include <limits>
#include <vector>

#include "testing/backend.h"
#include "testing/catch.h"
#include "testing/compare.h"
#include "testing/cpu_stream.h"
#include "testing/gradcheck.h"
#include "testing/random_data.h"
#include "testing/reference/activation.h"

namespace ebb::test {
namespace {

constexpr std::array kActivations = {Activation::kNone,     Activation::kGelu, Activation::kSilu,
                                     Activation::kGeluTanh, Activation::kMish, Activation::kRelu};
constexpr double kInfinity = std::numeric_limits<double>::infinity();

std::vector<float> forward(Activation activation, const std::vector<float>& x, int threads = 1) {
  std::vector<float> y(x.size(), NAN);
  KernelCall call;
  call.run(&KernelTable::activation_forward,
           {activation, DType::kF32, static_cast<int64_t>(x.size()), call.in(x), call.out(y)},
           threads);
  return y;
}

std::vector<float> backward(Activation activation, const std::vector<float>& x,
                            const std::vector<float>& dy, int threads = 1) {
  std::vector<float> dx(x.size(), NAN);
  KernelCall call;
  call.run(&KernelTable::activation_backward,
           {activation, DType::kF32, static_cast<int64_t>(x.size()), call.in(x), call.in(dy),
            call.out(dx)},
           threads);
  return dx;
}

std::vector<double> expected_values(Activation activation, const std::vector<float>& x) {
  std::vector<double> y;
  for (float v : x) y.push_back(reference::activation(activation, v));
  return y;
}

std::vector<double> expected_gradients(Activation activation, const std::vector<float>& x,
                                       const std::vector<float>& dy) {
  std::vector<double> dx;
  for (size_t i = 0; i < x.size(); ++i) {
    dx.push_back(dy[i] * reference::activation_grad(activation, x[i]));
  }
  return dx;
}

// GELU is a difference of O(1) numbers for x < 0 (vector_math-inl.h: 2.4e-7 absolute). SiLU and
// Mish are product chains of about six roundings; without FMA its exponential also loses the low
// bits of x * log2(e).
std::string compare_values(Activation activation, const std::vector<float>& y,
                           const std::vector<float>& x, bool has_fma) {
  const std::vector<double> expected = expected_values(activation, x);
  return compare_with(std::span<const float>(y), std::span<const double>(expected), [&](size_t i) {
    const double size = std::fabs(expected[i]);
    if (activation == Activation::kNone || activation == Activation::kRelu) return 0.0;
    if (activation == Activation::kGelu) return 2.5e-7 + 2 * kEps32 * size;
    if (activation == Activation::kGeluTanh) {
      // For x < 0 the relative error of e^z is that of its argument. 1 + tanh cancels in the
      // reference: a few roundings of double.
      const double z = x[i] < 0 ? 2 * std::fabs(reference::gelu_tanh_argument(x[i])) : 0;
      return (8 + (has_fma ? 4 : 6) * z) * kEps32 * size + 1e-15 * (1 + std::fabs(x[i]));
    }
    return (8 + (has_fma ? 0 : 2 * std::fabs(x[i]))) * kEps32 * size;
  });
}

// Derivatives are O(1) and cross zero, so their error is absolute, times |dy|.
std::string compare_gradients(Activation activation, const std::vector<float>& dx,
                              const std::vector<double>& expected, const std::vector<float>& dy) {
  const double slope_error = activation == Activation::kNone ? 0 : 2.5e-7;
  return compare_with(std::span<const float>(dx), std::span<const double>(expected), [&](size_t i) {
    return slope_error * std::fabs(dy[i]) + kEps32 * std::fabs(expected[i]);
  });
}

std::vector<float> grid(double low, double high, int64_t steps) {
  std::vector<float> x;
  for (int64_t i = 0; i <= steps; ++i) {
    x.push_back(static_cast<float>(low + (high - low) * static_cast<double>(i) /
                                             static_cast<double>(steps)));
  }
  return x;
}

TEST_CASE("activation: values and gradients follow the formulas everywhere", "[kernels]") {
  const TestBackend backend(GENERATE(from_range(test_backends())));
  const Activation activation = GENERATE(from_range(kActivations));
  CAPTURE(backend.name(), to_string(activation));
  const std::vector<float> x = grid(-30, 30, 120007);
  const std::vector<float> dy = RandomData(1).normal(static_cast<int64_t>(x.size()));
  CHECK(compare_values(activation, forward(activation, x), x, backend.has_fma()) == "");
  CHECK(compare_gradients(activation, backward(activation, x, dy),
                          expected_gradients(activation, x, dy), dy) == "");
}

TEST_CASE("activation: extreme inputs reach their limits and NaN stays NaN", "[kernels]") {
  const TestBackend backend(GENERATE(from_range(test_backends())));
  CAPTURE(backend.name());
  const float inf = std::numeric_limits<float>::infinity();
  const std::vector<float> x = {-inf, -1e30f, -1e-40f, -0.0f, 0.0f, 1e-40f, 1e30f, inf, NAN};
  const std::vector<float> ones(x.size(), 1.0f);
  for (Activation activation : {Activation::kGelu, Activation::kSilu, Activation::kGeluTanh}) {
    CAPTURE(to_string(activation));
    const std::vector<double> y = {0, 0, 0, 0, 0, 0, x[6], kInfinity, NAN};
    CHECK(compare(forward(activation, x), y, {1e-7, 0}) == "");
    const std::vector<double> grad = {0, 0, 0.5, 0.5, 0.5, 0.5, 1, 1, NAN};
    CHECK(compare(backward(activation, x, ones), grad, {2.5e-7, 0}) == "");
  }
  const std::vector<double> y = {0, 0, 0, 0, 0, 0, x[6], kInfinity, NAN};
  CHECK(compare(forward(Activation::kMish, x), y, {1e-7, 0}) == "");
  const std::vector<double> mish_slopes = {0, 0, 0.6, 0.6, 0.6, 0.6, 1, 1, NAN};
  CHECK(compare(backward(Activation::kMish, x, ones), mish_slopes, {2.5e-7, 0}) == "");
  CHECK(compare(forward(Activation::kRelu, x), y, {1e-40, 0}) == "");
  const std::vector<double> relu_slopes = {0, 0, 0, 0, 0, 1, 1, 1, NAN};
  CHECK(compare(backward(Activation::kRelu, x, ones), relu_slopes, {0, 0}) == "");
}

TEST_CASE("activation: every count, thread number and position gives the same bits", "[kernels]") {
  const TestBackend backend(GENERATE(from_range(test_backends())));
  const Activation activation = GENERATE(from_range(kActivations));
  CAPTURE(backend.name(), to_string(activation));
  RandomData random(2);
  const std::vector<float> x = random.normal(70001, 0, 3), dy = random.normal(70001);
  const std::vector<float> y = forward(activation, x), dx = backward(activation, x, dy);
  for (int threads : kThreadCounts) {
    CHECK(compare_bits(forward(activation, x, threads), y) == "");
    CHECK(compare_bits(backward(activation, x, dy, threads), dx) == "");
  }
  for (size_t count : {1, 2, 3, 7, 8, 15, 16, 17, 31, 33, 1003, 16384, 16385}) {
    const std::vector<float> head(x.end() - static_cast<int64_t>(count), x.end());
    CHECK(compare_bits(forward(activation, head), std::span(y).subspan(y.size() - count)) == "");
  }
}

TEST_CASE("activation: the output may be the input", "[kernels]") {
  const TestBackend backend(GENERATE(from_range(test_backends())));
  const Activation activation = GENERATE(from_range(kActivations));
  RandomData random(3);
  const std::vector<float> x = random.normal(1003), dy = random.normal(1003);
  std::vector<float> in_place = x;
  KernelCall forward_call;
  forward_call.run(
      &KernelTable::activation_forward,
      {activation, DType::kF32, 1003, forward_call.inout(in_place), forward_call.inout(in_place)});
  CHECK(compare_bits(in_place, forward(activation, x)) == "");
  in_place = dy;
  KernelCall backward_call;
  backward_call.run(&KernelTable::activation_backward,
                    {activation, DType::kF32, 1003, backward_call.in(x),
                     backward_call.inout(in_place), backward_call.inout(in_place)});
  CHECK(compare_bits(in_place, backward(activation, x, dy)) == "");
}

TEST_CASE("activation: the reference gradient is the derivative of the reference", "[kernels]") {
  const Activation activation = GENERATE(from_range(kActivations));
  const std::vector<double> x = to_double(grid(-8, 8, 101));  // ReLU has no slope at 0
  const auto loss = [&](std::span<const double> at) {
    double sum = 0;
    for (double v : at) sum += reference::activation(activation, v);
    return sum;
  };
  std::vector<double> grads;
  for (double v : x) grads.push_back(reference::activation_grad(activation, v));
  CHECK(gradcheck(loss, x, grads) == "");
}

}  // namespace
}  // namespace ebb::test
