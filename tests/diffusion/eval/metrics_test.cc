#include <algorithm>
#include <cmath>
#include <limits>

#include "diffusion/eval/diffusion_classifier.h"
#include "diffusion/eval/frechet.h"
#include "diffusion/eval/image_quality.h"
#include "diffusion/eval/nearest.h"
#include "diffusion/image_noise.h"
#include "diffusion/schedule.h"
#include "nn/eager_ops.h"
#include "testing/catch.h"
#include "testing/contexts.h"
#include "testing/errors.h"
#include "testing/golden.h"
#include "testing/networks.h"
#include "tests/diffusion/golden_f64.h"

namespace ebb {
namespace {

TEST_CASE("the mean squared error is the mean of the squared differences, in double") {
  test::RandomData random(1);
  const std::vector<float> a = random.normal(1000), b = random.normal(1000);
  long double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    sum += (static_cast<long double>(a[i]) - b[i]) * (static_cast<long double>(a[i]) - b[i]);
  }
  CHECK(mean_squared_error(a, b) == Approx(static_cast<double>(sum / 1000)).epsilon(1e-13));
  CHECK(mean_squared_error(a, a) == 0);
  std::vector<float> broken = a;
  broken[7] = std::nanf("");
  CHECK(std::isnan(mean_squared_error(a, broken)));
  CHECK_THROWS_AS(mean_squared_error(a, std::span(b).subspan(1)), ShapeError);
}

TEST_CASE("the peak signal-to-noise ratio is in decibels of white") {
  CHECK(peak_signal_to_noise(1) == 0);
  CHECK(peak_signal_to_noise(0.01) == Approx(20).epsilon(1e-14));
  CHECK(peak_signal_to_noise(0.0085) == Approx(20.70581).epsilon(1e-6));
  CHECK(std::isinf(peak_signal_to_noise(0)));
}

TEST_CASE("the structural similarity is scikit-image's") {
  const test::Golden images("metrics");
  const std::vector<double> expected = test::GoldenF64("metrics")["ssim.value"];
  const std::vector<float> a = images.values("ssim.a"), b = images.values("ssim.b");
  REQUIRE(expected.size() == 8);
  for (size_t i = 0; i < expected.size(); ++i) {
    INFO(i);
    const auto image = [&](const std::vector<float>& all) {
      return std::span(all).subspan(i * 784, 784);
    };
    // Both compute in double; scipy adds the window's terms in another order.
    CHECK(structural_similarity(image(a), image(b), 28, 28) ==
          Approx(expected[i]).epsilon(0).margin(1e-11));
  }
}

// The definition as it is written: one two-dimensional window per position, moments about its mean.
double plain_similarity(const std::vector<float>& a, const std::vector<float>& b, int height,
                        int width) {
  double total = 0;
  for (int i = 5; i < height - 5; ++i) {
    for (int j = 5; j < width - 5; ++j) {
      double weight = 0, ma = 0, mb = 0, va = 0, vb = 0, ab = 0;
      const auto each = [&](auto visit) {
        for (int di = -5; di <= 5; ++di) {
          for (int dj = -5; dj <= 5; ++dj) {
            const int at = (i + di) * width + j + dj;
            visit(std::exp(-(di * di + dj * dj) / 4.5), static_cast<double>(a[at]),
                  static_cast<double>(b[at]));
          }
        }
      };
      each([&](double w, double x, double y) { weight += w, ma += w * x, mb += w * y; });
      ma /= weight, mb /= weight;
      each([&](double w, double x, double y) {
        va += w * (x - ma) * (x - ma) / weight;
        vb += w * (y - mb) * (y - mb) / weight;
        ab += w * (x - ma) * (y - mb) / weight;
      });
      total +=
          (2 * ma * mb + 1e-4) * (2 * ab + 9e-4) / ((ma * ma + mb * mb + 1e-4) * (va + vb + 9e-4));
    }
  }
  return total / ((height - 10) * (width - 10));
}

TEST_CASE("the structural similarity follows its definition for other sizes") {
  test::RandomData random(2);
  for (const auto& [height, width] : {std::pair{11, 11}, {11, 17}, {20, 13}}) {
    const std::vector<float> a = random.uniform(height * width), b = random.uniform(height * width);
    CHECK(structural_similarity(a, b, height, width) ==
          Approx(plain_similarity(a, b, height, width)).epsilon(1e-10));
    CHECK(structural_similarity(a, a, height, width) == Approx(1).epsilon(1e-12));
  }
  const std::vector<float> small(100);
  CHECK_THROWS_AS(structural_similarity(small, small, 10, 10), ShapeError);
}

TEST_CASE("feature statistics are mean and unbiased covariance") {
  const std::vector<float> features{1, 10, 2, 30, 6, 20};  // three vectors in two dimensions
  const FeatureStatistics s = feature_statistics(features, 2);
  CHECK(s.count == 3);
  CHECK(s.mean == std::vector<double>{3, 20});
  CHECK(s.covariance == std::vector<double>{7, 5, 5, 100});
  CHECK_THROWS_AS(feature_statistics(std::vector<float>{1, 2}, 2), ShapeError);
  CHECK_THROWS_AS(feature_statistics(features, 4), ShapeError);
}

TEST_CASE("the Frechet distance is scipy's") {
  const test::Golden sets("metrics");
  const test::GoldenF64 golden("metrics");
  for (const std::string name : {"wide", "one", "singular"}) {
    INFO(name);
    const std::string prefix = "frechet." + name;
    const int64_t dimensions = sets.shape(prefix + ".a")[1];
    const FeatureStatistics a = feature_statistics(sets.values(prefix + ".a"), dimensions);
    const FeatureStatistics b = feature_statistics(sets.values(prefix + ".b"), dimensions);
    const double expected = golden[prefix + ".distance"].at(0);
    // A matrix root of a singular matrix loses half the digits in scipy's method.
    CHECK(frechet_distance(a, b) == Approx(expected).epsilon(name == "singular" ? 1e-8 : 1e-11));
    CHECK(frechet_distance(b, a) == Approx(expected).epsilon(name == "singular" ? 1e-8 : 1e-11));
    CHECK(std::fabs(frechet_distance(a, a)) <= 1e-12 * static_cast<double>(dimensions));
  }
}

TEST_CASE("the Frechet distance of two 2-D Gaussians has a closed form") {
  // tr (AB)^(1/2) = sqrt(tr AB + 2 sqrt(det AB)).
  const FeatureStatistics a{
      .count = 9, .dimensions = 2, .mean = {1, 2}, .covariance = {4, 1, 1, 3}};
  const FeatureStatistics b{
      .count = 5, .dimensions = 2, .mean = {0, 4}, .covariance = {2, -1, -1, 5}};
  const double trace_ab = 4 * 2 - 1 - 1 + 3 * 5, det_ab = (4 * 3 - 1) * (2 * 5 - 1);
  const double expected = 1 + 4 + 7 + 7 - 2 * std::sqrt(trace_ab + 2 * std::sqrt(det_ab));
  CHECK(frechet_distance(a, b) == Approx(expected).epsilon(1e-13));
}

TEST_CASE("features that are not finite have no distance") {
  std::vector<float> features(40, 0.5f);
  features[3] = std::nanf("");
  const FeatureStatistics bad = feature_statistics(features, 4);
  bool refused = false;
  double distance = 0;
  try {
    distance = frechet_distance(bad, bad);
  } catch (const DivergedError&) {
    refused = true;
  }
  CHECK((refused || std::isnan(distance)));
}

TEST_CASE("the nearest neighbor is found among all references, exactly, on any thread count") {
  constexpr int64_t kPixels = 50;
  test::RandomData random(3);
  const std::vector<uint8_t> references = random.bytes(130 * kPixels);
  std::vector<uint8_t> queries = random.bytes(37 * kPixels);
  std::copy_n(references.end() - kPixels, kPixels, queries.begin());  // a copy of the last one
  std::vector<double> expected;
  for (size_t q = 0; q < queries.size(); q += kPixels) {
    double smallest = std::numeric_limits<double>::infinity();
    for (size_t r = 0; r < references.size(); r += kPixels) {
      double sum = 0;
      for (int64_t p = 0; p < kPixels; ++p) {
        const double difference = (queries[q + p] - references[r + p]) / 255.0;
        sum += difference * difference;
      }
      smallest = std::min(smallest, std::sqrt(sum));
    }
    expected.push_back(smallest);
  }
  CHECK(expected[0] == 0);
  for (const int threads : {1, 2, 3}) {
    const std::vector<double> actual = nearest_distances(queries, references, kPixels, threads);
    CHECK(test::compare_with(std::span<const double>(actual), std::span<const double>(expected),
                             [&](size_t i) { return 1e-13 * expected[i]; }) == "");
  }
  CHECK(nearest_distances(std::vector<uint8_t>(784, 0), std::vector<uint8_t>(784, 255), 784, 1) ==
        std::vector<double>{28});
  CHECK_THROWS_AS(nearest_distances(queries, {}, kPixels, 1), ShapeError);
}

TEST_CASE("values become the bytes of a written image") {
  CHECK(to_bytes(std::vector<float>{-0.5f, 0, 0.5f / 255, 0.499f / 255, 1, 2}) ==
        std::vector<uint8_t>{0, 0, 1, 0, 255, 255});
}

TEST_CASE("quantiles lie between neighbors") {
  CHECK(quantile({3, 1, 2}, 0.5) == 2);
  CHECK(quantile({4, 1, 2, 3}, 0.5) == 2.5);
  CHECK(quantile({5, 1}, 0.25) == 2);
  CHECK(quantile({5, 1}, 0) == 1);
  CHECK(quantile({5, 1}, 1) == 5);
}

struct ClassModel {
  std::unique_ptr<Context> context = test::cpu_context();
  Model model;

  explicit ClassModel(const Objective& objective) {
    model.path = "model.safetensors";
    model.network = make_network(test::mnist_config("class", "add", 4), "test");
    model.objective = objective;
    model.params = test::random_params(*context, model.network, 1);
  }

  // One class, one image, one noise level, layer by layer.
  std::vector<double> prediction(const std::vector<float>& x, double t, int64_t label) {
    EagerOps ops(*context, model.params);
    std::vector<float> one_hot(10, 0.0f);
    one_hot[label] = 1;
    const Value y = model.network.forward(
        ops, {ops.input(test::tensor_of(*context, {1, 28, 28, 1}, x)),
              ops.input(test::tensor_of(*context, {1, 1}, {static_cast<float>(t)})),
              ops.input(test::tensor_of(*context, {1, 10}, one_hot))});
    return test::to_double(ops.tensor(y).to_host());
  }

  std::vector<double> noise(uint64_t seed, int64_t trial) {
    const Tensor z = Tensor::empty(*context, {1, 28, 28, 1});
    ImageNoise(*context, seed).step(trial, z);
    return test::to_double(z.to_host());
  }
};

TEST_CASE("the diffusion classifier's errors are those of one evaluation at a time") {
  constexpr int64_t kImages = 10, kTrials = 3, kFirstSeed = 40;  // more than one batch of 8
  for (const Objective& objective : {Objective{.type = ObjectiveType::kDdpm, .timesteps = 50},
                                     Objective{.type = ObjectiveType::kFlow}}) {
    ClassModel c(objective);
    const bool flow = objective.type == ObjectiveType::kFlow;
    INFO(to_string(objective.type));
    const std::vector<float> images = test::RandomData(5).uniform(kImages * 784);
    std::vector<int64_t> progress;
    const std::vector<double> errors =
        diffusion_errors(*c.context, c.model, images, {.trials = kTrials, .first_seed = kFirstSeed},
                         [&](int64_t done) { progress.push_back(done); });
    REQUIRE(errors.size() == kImages * 10);
    CHECK(progress == std::vector<int64_t>{8, 16, 24, 26, 28, 30});
    for (const int64_t image : {0, 7, 9}) {
      for (const int64_t label : {0, 4, 9}) {
        double expected = 0;
        for (int64_t j = 0; j < kTrials; ++j) {
          const double middle = (static_cast<double>(j) + 0.5) / kTrials;
          const auto k = static_cast<int64_t>(middle * 50);
          const double t = flow ? middle : (static_cast<double>(k) + 1) / 50;
          const double ab = flow ? 0 : ddpm_schedule(objective).alpha_bar[k];
          const std::vector<double> eps = c.noise(kFirstSeed + image, j);
          std::vector<float> x_t(784);
          for (int64_t p = 0; p < 784; ++p) {
            const double x = images[image * 784 + p];
            x_t[p] = static_cast<float>(flow ? (1 - t) * eps[p] + t * x
                                             : std::sqrt(ab) * x + std::sqrt(1 - ab) * eps[p]);
          }
          const std::vector<double> prediction = c.prediction(x_t, t, label);
          for (int64_t p = 0; p < 784; ++p) {
            const double target = flow ? images[image * 784 + p] - eps[p] : eps[p];
            expected += (target - prediction[p]) * (target - prediction[p]);
          }
        }
        // f32 predictions, and batch norm folded into the weights.
        CHECK(errors[image * 10 + label] == Approx(expected).epsilon(1e-5));
      }
    }
  }
}

TEST_CASE("the class of least error is chosen, the first of equals") {
  CHECK(least_error(std::vector<double>{3, 1, 2, 0, 5, 0}, 3) == std::vector<int64_t>{1, 0});
}

TEST_CASE("a model without classes cannot classify, one that diverged has no errors") {
  ClassModel c({.type = ObjectiveType::kDdpm, .timesteps = 50});
  const std::vector<float> image(784, 0.5f);
  const auto classify = [&] { diffusion_errors(*c.context, c.model, image, {}, [](int64_t) {}); };
  c.model.params["out.bias"] = test::tensor_of(*c.context, {1}, {std::nanf("")});
  CHECK_THROWS_AS(classify(), DivergedError);
  c.model.network = make_network(test::mnist_config("time", "add", 4), "test");
  CHECK_THAT(test::message_of<UsageError>(classify),
             Catch::Matchers::Contains("model.safetensors: takes no class"));
}

}  // namespace
}  // namespace ebb
