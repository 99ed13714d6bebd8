#include "diffusion/filter.h"

#include <cmath>

#include "testing/catch.h"
#include "testing/contexts.h"
#include "testing/reference/line_filter.h"
#include "testing/tensors.h"

namespace ebb {
namespace {

constexpr int64_t kN = 2, kH = 20, kW = 24, kC = 3;

// torchvision's gaussian_blur in double, from its documented weights.
std::vector<double> blur(const std::vector<double>& x, int64_t taps, double sigma) {
  std::vector<float> weights;
  double sum = 0;
  for (int64_t k = 0; k < taps; ++k) {
    const double d = static_cast<double>(k) - static_cast<double>(taps - 1) / 2;
    sum += std::exp(-d * d / (2 * sigma * sigma));
  }
  for (int64_t k = 0; k < taps; ++k) {
    const double d = static_cast<double>(k) - static_cast<double>(taps - 1) / 2;
    weights.push_back(static_cast<float>(std::exp(-d * d / (2 * sigma * sigma)) / sum));
  }
  const std::vector<double> rows =
      reference::line_filter(std::span<const double>(x), kN, kH, kW, kC, 0, 1, weights);
  return reference::line_filter(std::span<const double>(rows), kN, kH, kW, kC, 1, 0, weights);
}

struct Setup {
  std::unique_ptr<Context> context = test::cpu_context();
  std::vector<float> values;
  Tensor x;

  Setup() {
    test::RandomData random(2);
    values = random.normal(kN * kH * kW * kC);
    x = test::tensor_of(*context, {kN, kH, kW, kC}, values);
  }

  std::vector<float> run(const Filter& filter) const {
    return FilterRunner(*context, filter).run(x).to_host();
  }
};

// Values of size 1 to 4 through sums of up to 33 positive weights that sum to 1, twice: each sum is
// off by less than 34 roundoffs of 4.
constexpr test::Tolerance kTwoPasses{.absolute = 2 * 34 * 4 * test::kEps32, .relative = 0};

TEST_CASE("low_pass is the Gaussian blur, high_pass what it takes away") {
  const Setup setup;
  const std::vector<double> x = test::to_double(setup.values);
  for (const auto& [taps, sigma] : {std::pair<int64_t, double>{33, 2}, {5, 0.8}, {1, 3}}) {
    INFO(taps << " taps");
    const std::vector<double> low = blur(x, taps, sigma);
    std::vector<double> high;
    for (size_t i = 0; i < x.size(); ++i) high.push_back(x[i] - low[i]);
    CHECK(test::compare(setup.run(low_pass(taps, sigma)), low, kTwoPasses) == "");
    CHECK(test::compare(setup.run(high_pass(taps, sigma)), high, kTwoPasses) == "");
  }
}

TEST_CASE("gray is the mean of the channels, motion the mean along the diagonal") {
  const Setup setup;
  std::vector<double> means;
  for (size_t i = 0; i < setup.values.size(); i += kC) {
    const double mean = (double{setup.values[i]} + setup.values[i + 1] + setup.values[i + 2]) / 3;
    means.insert(means.end(), {mean, mean, mean});
  }
  CHECK(test::compare(setup.run(gray()), means, {.absolute = 1e-6}) == "");
  const std::vector<float> seventh(7, 1.0f / 7);
  const std::vector<double> along =
      reference::line_filter(std::span<const float>(setup.values), kN, kH, kW, kC, 1, 1, seventh);
  CHECK(test::compare(setup.run(motion_blur(7)), along, kTwoPasses) == "");
  // A single channel is gray already.
  const Tensor one = test::tensor_of(*setup.context, {1, 2, 2, 1}, {1, 2, 3, 4});
  CHECK(test::compare_bits(FilterRunner(*setup.context, gray()).run(one), one) == "");
}

TEST_CASE("the parts of every decomposition sum to the image") {
  const Setup setup;
  const std::vector<std::vector<Filter>> decompositions = {{low_pass(33, 2), high_pass(33, 2)},
                                                           {gray(), color_residual()},
                                                           {motion_blur(7), motion_residual(7)},
                                                           three_bands(25, 1, 2)};
  for (const std::vector<Filter>& parts : decompositions) {
    CHECK(sum_to_identity(parts));
    std::vector<double> sum(setup.values.size(), 0.0);
    for (const Filter& part : parts) {
      const std::vector<float> values = setup.run(part);
      for (size_t i = 0; i < sum.size(); ++i) sum[i] += values[i];
    }
    // Each part rounds at its own size, below 8.
    CHECK(test::compare(setup.values, sum, {.absolute = 3 * 8 * test::kEps32}) == "");
  }
}

TEST_CASE("parts that do not sum to the identity are detected") {
  CHECK(sum_to_identity(std::vector<Filter>{Filter{}}));
  CHECK_FALSE(sum_to_identity(std::vector<Filter>{Filter{}, Filter{}}));
  CHECK_FALSE(sum_to_identity(std::vector<Filter>{low_pass(33, 2), high_pass(33, 1)}));
  CHECK_FALSE(sum_to_identity(std::vector<Filter>{low_pass(33, 2), high_pass(31, 2)}));
  CHECK_FALSE(sum_to_identity(std::vector<Filter>{low_pass(33, 2)}));
}

TEST_CASE("the middle band of three is between the blurs") {
  const Setup setup;
  const std::vector<double> x = test::to_double(setup.values);
  const std::vector<double> near = blur(x, 25, 1), far = blur(x, 25, 2);
  std::vector<double> middle;
  for (size_t i = 0; i < x.size(); ++i) middle.push_back(near[i] - far[i]);
  const std::vector<Filter> bands = three_bands(25, 1, 2);
  CHECK(test::compare(setup.run(bands[0]), far, kTwoPasses) == "");
  CHECK(test::compare(setup.run(bands[1]), middle, kTwoPasses) == "");
}

TEST_CASE("the largest kernel reaches to the last pixel") {
  CHECK(max_taps(28, 28) == 55);
  CHECK(max_taps(64, 20) == 39);
  const auto context = test::cpu_context();
  const Tensor x = Tensor::zeros(*context, {1, 4, 6, 1});
  CHECK_NOTHROW(FilterRunner(*context, low_pass(7, 1)).run(x));
  CHECK_THROWS_AS(FilterRunner(*context, low_pass(9, 1)).run(x), ShapeError);
}

}  // namespace
}  // namespace ebb
