#include "diffusion/eval/evaluate.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

#include "diffusion/conditioner.h"
#include "diffusion/eval/frechet.h"
#include "diffusion/eval/image_quality.h"
#include "diffusion/pipeline.h"
#include "nn/eager_ops.h"
#include "testing/catch.h"
#include "testing/contexts.h"
#include "testing/mnist_files.h"
#include "testing/networks.h"

namespace ebb {
namespace {

constexpr int64_t kPixels = MnistDataset::kPixels;

struct Bench {
  test::MnistFiles files{60, 40};
  std::unique_ptr<Context> context = test::cpu_context();
  Network classifier_network =
      make_network(R"({"name": "mnist_judge", "hidden": 4, "classes": 10})", "test");
  DigitClassifier classifier{*context, classifier_network,
                             test::random_params(*context, classifier_network, 3)};
  std::vector<double> shares;
  Report report;

  Model model(const std::string& conditioning, const Objective& objective) {
    Model model;
    model.path = "model.safetensors";
    model.network = make_network(test::mnist_config(conditioning, "add", 4), "test");
    model.objective = objective;
    model.params = test::random_params(*context, model.network, 1);
    return model;
  }
  EvaluateProgress progress() {
    return [this](double share) { shares.push_back(share); };
  }
  MnistDataset data(MnistSplit split) const { return load_mnist(files.path(), split); }
};

// Rises from 0 to 1 and never falls.
void check_progress(const std::vector<double>& shares) {
  REQUIRE_FALSE(shares.empty());
  CHECK(std::is_sorted(shares.begin(), shares.end()));
  CHECK(shares.front() >= 0);
  CHECK(shares.back() == Approx(1).epsilon(1e-9));
}

const ReportTable& table_of(const Report& report, const std::string& key) {
  for (const ReportTable& table : report.tables) {
    if (table.key == key) return table;
  }
  throw Error("no table " + key);
}

const Cell& cell(const ReportTable& table, size_t row, const std::string& key) {
  for (size_t c = 0; c < table.columns.size(); ++c) {
    if (table.columns[c].key == key) return table.rows.at(row).at(c);
  }
  throw Error("no column " + key);
}
double number(const ReportTable& table, size_t row, const std::string& key) {
  return std::get<double>(cell(table, row, key));
}

TEST_CASE("test images are spread evenly over their set") {
  MnistDataset data{.count = 10, .images = {}, .labels = {}, .fingerprint = "f"};
  for (int64_t i = 0; i < 10; ++i) {
    data.images.insert(data.images.end(), kPixels, static_cast<uint8_t>(i));
    data.labels.push_back(static_cast<uint8_t>(i));
  }
  const MnistDataset some = spread(data, 4);
  CHECK(some.labels == std::vector<uint8_t>{0, 2, 5, 7});
  CHECK(some.images[2 * kPixels + 5] == 5);
  CHECK(some.images.size() == 4 * kPixels);
  CHECK(spread(data, 99).labels == data.labels);
  CHECK(to_floats(std::vector<uint8_t>{0, 51, 255}) == std::vector<float>{0, 0.2f, 1});
}

TEST_CASE("a denoiser's metrics are those of its predictions for each noisy test image") {
  Bench bench;
  const Model model = bench.model("none", {.type = ObjectiveType::kDenoise, .sigma = 0.5});
  const EvaluateRequest request{.data = bench.files.path(),
                                .images = 35,  // more than one batch of 32
                                .sigmas = {0, 0.7},
                                .settings = {},
                                .seed = 11};
  evaluate_denoiser(*bench.context, model, request, bench.progress(), bench.report);
  check_progress(bench.shares);
  const ReportTable& table = table_of(bench.report, "denoising");
  REQUIRE(table.rows.size() == 2);

  const MnistDataset test = spread(bench.data(MnistSplit::kTest), 35);
  const std::vector<float> clean = to_floats(test.images);
  const Tensor noise = Tensor::empty(*bench.context, {35, 28, 28, 1});
  ImageNoise(*bench.context, 11).start(noise);
  const std::vector<float> eps = noise.to_host();
  for (size_t row = 0; row < 2; ++row) {
    const double sigma = request.sigmas[row];
    std::vector<float> noisy;
    for (size_t i = 0; i < clean.size(); ++i) {
      noisy.push_back(static_cast<float>(clean[i] + sigma * eps[i]));
    }
    EagerOps ops(*bench.context, model.params);
    const Value x = ops.input(test::tensor_of(*bench.context, {35, 28, 28, 1}, noisy));
    const std::vector<float> predictions = ops.tensor(model.network.forward(ops, {x})).to_host();
    double mse = 0, noisy_mse = 0, ssim = 0;
    for (size_t i = 0; i < clean.size(); ++i) {
      mse += std::pow(static_cast<double>(predictions[i]) - clean[i], 2) / clean.size();
      noisy_mse += std::pow(static_cast<double>(noisy[i]) - clean[i], 2) / clean.size();
    }
    for (int64_t n = 0; n < 35; ++n) {
      ssim += structural_similarity(std::span(predictions).subspan(n * kPixels, kPixels),
                                    std::span(clean).subspan(n * kPixels, kPixels), 28, 28) /
              35;
    }
    CHECK(number(table, row, "sigma") == sigma);
    CHECK(number(table, row, "mse") == Approx(mse).epsilon(1e-5));
    CHECK(number(table, row, "psnr_db") == Approx(-10 * std::log10(mse)).epsilon(1e-5));
    CHECK(number(table, row, "ssim") == Approx(ssim).margin(1e-6));
    CHECK(number(table, row, "noisy_mse") == Approx(noisy_mse).epsilon(1e-5).margin(1e-12));
  }
  CHECK(std::isinf(number(table, 0, "noisy_psnr_db")));
  CHECK(number(table, 0, "noisy_ssim") == Approx(1).epsilon(1e-12));
  REQUIRE(bench.report.plots.size() == 1);
  CHECK(bench.report.plots[0].series.at(0).y[1] == number(table, 1, "mse"));
}

TEST_CASE("a denoiser of pure noise is measured against the mean training image") {
  Bench bench;
  Model model = bench.model("none", {.type = ObjectiveType::kPureNoise});
  // A network with a constant output: the last layer's weights are zero.
  model.params["out.weight"].fill_zero();
  model.params["out.bias"] = test::tensor_of(*bench.context, {1}, {0.25f});
  evaluate_denoiser(*bench.context, model,
                    {.data = bench.files.path(), .images = 40, .sigmas = {}, .settings = {}},
                    bench.progress(), bench.report);
  check_progress(bench.shares);
  const MnistDataset train = bench.data(MnistSplit::kTrain), test = bench.data(MnistSplit::kTest);
  std::vector<double> mean(kPixels, 0.0);
  for (size_t i = 0; i < train.images.size(); ++i) {
    mean[i % kPixels] += train.images[i] / 255.0 / static_cast<double>(train.count);
  }
  double from_mean = 0, from_test = 0, variance = 0;
  for (const double m : mean) from_mean += (0.25 - m) * (0.25 - m) / kPixels;
  for (const uint8_t p : test.images) {
    from_test += std::pow(0.25 - p / 255.0, 2) / static_cast<double>(test.images.size());
  }
  for (size_t i = 0; i < train.images.size(); ++i) {
    variance += std::pow(train.images[i] / 255.0 - mean[i % kPixels], 2) /
                static_cast<double>(train.images.size());
  }
  const ReportTable& table = table_of(bench.report, "pure_noise");
  CHECK(number(table, 0, "mse") == Approx(from_mean).epsilon(1e-5));
  CHECK(number(table, 1, "mse") == Approx(from_test).epsilon(1e-5));
  CHECK(number(table, 2, "mse") == Approx(variance).epsilon(1e-5));
}

TEST_CASE("generated digits are scored against their requested class") {
  Bench bench;
  const Objective objective{.type = ObjectiveType::kDdpm, .timesteps = 20};
  const Model model = bench.model("class", objective);
  const EvaluateRequest request{
      .data = bench.files.path(),
      .images = 9,
      .samples = 25,
      .trials = 2,
      .sigmas = {},
      .settings = {{SamplerKind::kDdim, 2, 3}, {SamplerKind::kDdpm, 3, 0}},
      .seed = 5,
      .batch_size = 10};
  evaluate_samples(*bench.context, model, bench.classifier, request, bench.progress(),
                   bench.report);
  check_progress(bench.shares);
  const ReportTable& table = table_of(bench.report, "samples");
  const ReportTable& digits = table_of(bench.report, "digits");
  REQUIRE(table.rows.size() == 4);  // test images, noise, two settings
  CHECK(std::get<std::string>(cell(table, 2, "images")) == "ddim");
  CHECK(std::get<int64_t>(cell(table, 2, "steps")) == 2);

  const FeatureStatistics train =
      feature_statistics(bench.classifier(bench.data(MnistSplit::kTrain)).features, 16);
  for (size_t setting = 0; setting < 2; ++setting) {
    const bool guided = setting == 0;
    std::vector<int64_t> classes;
    for (int64_t i = 0; i < 25; ++i) classes.push_back(guided ? i % 10 : kNoClass);
    const Pipeline pipeline(*bench.context, model,
                            {.sampler = guided ? "ddim" : "ddpm", .steps = guided ? 2 : 3});
    const std::vector<float> images = pipeline.generate_values(
        {.labels = classes, .guidance_scale = guided ? 3.0 : 1.0, .seed = 5});
    const Predictions predictions = bench.classifier(images);
    const size_t row = 2 + setting;
    CHECK(number(table, row, "frechet") ==
          Approx(frechet_distance(feature_statistics(predictions.features, 16), train))
              .epsilon(1e-9));
    std::map<int64_t, int64_t> read;
    for (const int64_t label : predictions.labels) ++read[label];
    int64_t most = 0;
    for (int64_t k = 0; k < 10; ++k) {
      CHECK(std::get<int64_t>(cell(digits, row, "digit_" + std::to_string(k))) == read[k]);
      most = std::max(most, read[k]);
    }
    CHECK(number(table, row, "commonest_share") == Approx(most / 25.0).epsilon(1e-12));
    if (guided) {
      CHECK(number(table, row, "accuracy") == accuracy(predictions.labels, classes));
    } else {
      CHECK(std::holds_alternative<std::monostate>(cell(table, row, "accuracy")));
    }
  }
  // The floor: test images against the training set.
  const MnistDataset test = spread(bench.data(MnistSplit::kTest), 25);
  CHECK(number(table, 0, "accuracy") == accuracy(bench.classifier(test).labels, test.labels));
  CHECK(number(table, 0, "near_share") == Approx(0.04));  // 1 of 25 lies below the 1 % quantile
  CHECK(std::get<int64_t>(cell(table_of(bench.report, "classifier"), 0, "trials")) == 2);
  CHECK(bench.report.plots.size() == 2);
}

TEST_CASE("a copied training image counts as near") {
  // A model that draws nothing but black, and a training set that holds a black image.
  Bench bench;
  Model model = bench.model("time", {.type = ObjectiveType::kFlow});
  const std::string path = bench.files.path() + "/train-images-idx3-ubyte";
  std::string bytes = test::get_file(path);
  std::fill_n(bytes.begin() + 16, kPixels, '\0');
  test::put_file(path, bytes);
  // One Euler step x += u with u = -100 ends far below black.
  model.params["out.weight"].fill_zero();
  model.params["out.bias"] = test::tensor_of(*bench.context, {1}, {-100.0f});
  evaluate_samples(*bench.context, model, bench.classifier,
                   {.data = bench.files.path(),
                    .samples = 12,
                    .sigmas = {},
                    .settings = {{SamplerKind::kEuler, 1, 1}}},
                   bench.progress(), bench.report);
  const ReportTable& table = table_of(bench.report, "samples");
  CHECK(number(table, 2, "nearest") == 0);
  CHECK(number(table, 2, "near_share") == 1);
  CHECK(number(table, 2, "commonest_share") == 1);
  CHECK(bench.report.tables.size() == 2);  // no classes, no classifier
}

TEST_CASE("a classifier's confusion matrix counts every test image once") {
  Bench bench;
  evaluate_classifier(bench.classifier,
                      {.data = bench.files.path(), .images = 40, .sigmas = {}, .settings = {}},
                      bench.progress(), bench.report);
  check_progress(bench.shares);
  const MnistDataset test = bench.data(MnistSplit::kTest);
  const std::vector<int64_t> labels = bench.classifier(test).labels;
  const ReportTable& table = table_of(bench.report, "confusion");
  REQUIRE(table.rows.size() == 10);
  for (int64_t digit = 0; digit < 10; ++digit) {
    for (int64_t read = 0; read < 10; ++read) {
      int64_t expected = 0;
      for (int64_t i = 0; i < test.count; ++i) {
        expected += test.labels[i] == digit && labels[i] == read ? 1 : 0;
      }
      CHECK(std::get<int64_t>(cell(table, digit, "read_as_" + std::to_string(read))) == expected);
    }
  }
}

}  // namespace
}  // namespace ebb
