#include "diffusion/eval/digit_classifier.h"

#include <cmath>
#include <limits>

#include "diffusion/model_file.h"
#include "nn/eager_ops.h"
#include "testing/catch.h"
#include "testing/contexts.h"
#include "testing/errors.h"
#include "testing/networks.h"
#include "testing/temp_dir.h"
#include "weights/digest.h"

namespace ebb {
namespace {

using Catch::Matchers::Contains;

constexpr int64_t kPixels = MnistDataset::kPixels;

struct SavedClassifier {
  std::unique_ptr<Context> context = test::cpu_context();
  Network network = make_network(R"({"name": "mnist_judge", "hidden": 4, "classes": 10})", "test");
  TensorMap params = test::random_params(*context, network, 1);
  test::RandomData random{2};

  DigitClassifier classifier() { return {*context, network, params}; }

  // Layer by layer, without the inference graph.
  Predictions expected(const std::vector<float>& images) {
    const auto n = static_cast<int64_t>(images.size()) / kPixels;
    EagerOps ops(*context, params);
    const Value x = ops.input(test::tensor_of(*context, {n, 28, 28, 1}, images));
    const Value logits = network.forward(ops, {x});
    return {.images = n,
            .logits = ops.tensor(logits).to_host(),
            .features = ops.module_outputs().at("features").to_host(),
            .labels = {}};
  }
};

TEST_CASE("a classifier's predictions are its network's, for any number of images") {
  SavedClassifier saved;
  DigitClassifier classifier = saved.classifier();
  CHECK(classifier.classes() == 10);
  CHECK(classifier.features() == 16);
  for (const int64_t n : {1, 63, 64, 65, 130}) {
    const std::vector<float> images = saved.random.uniform(n * kPixels);
    const Predictions actual = classifier(images), expected = saved.expected(images);
    INFO(n);
    CHECK(actual.images == n);
    CHECK(test::nmse(actual.logits, test::to_double(expected.logits)) <= 1e-10);
    CHECK(test::nmse(actual.features, test::to_double(expected.features)) <= 1e-10);
    REQUIRE(actual.labels.size() == static_cast<size_t>(n));
    for (int64_t i = 0; i < n; ++i) {
      for (int64_t k = 0; k < 10; ++k) {
        CHECK(actual.logits[i * 10 + actual.labels[i]] >= actual.logits[i * 10 + k]);
      }
    }
  }
}

TEST_CASE("an image gets the same prediction in any batch") {
  SavedClassifier saved;
  DigitClassifier classifier = saved.classifier();
  const std::vector<float> images = saved.random.uniform(70 * kPixels);
  const Predictions together = classifier(images);
  for (const int64_t i : {0, 33, 69}) {
    const Predictions alone = classifier(std::span(images).subspan(i * kPixels, kPixels));
    CHECK(test::compare_bits(alone.logits, std::span(together.logits).subspan(i * 10, 10)) == "");
    CHECK(alone.labels[0] == together.labels[i]);
  }
}

TEST_CASE("a data set is classified as its pixels over 255") {
  SavedClassifier saved;
  DigitClassifier classifier = saved.classifier();
  MnistDataset data{
      .count = 66, .images = saved.random.bytes(66 * kPixels), .labels = {}, .fingerprint = ""};
  std::vector<float> images;
  for (const uint8_t pixel : data.images) images.push_back(static_cast<float>(pixel) / 255.0f);
  const Predictions as_data = classifier(data), as_images = classifier(images);
  CHECK(test::compare_bits(as_data.logits, as_images.logits) == "");
  CHECK(test::compare_bits(as_data.features, as_images.features) == "");
  CHECK(as_data.labels == as_images.labels);
}

TEST_CASE("values beyond black and white are classified as written images show them") {
  SavedClassifier saved;
  DigitClassifier classifier = saved.classifier();
  const std::vector<float> wild = saved.random.uniform(kPixels, -1, 2);
  std::vector<float> tame = wild;
  for (float& value : tame) value = std::clamp(value, 0.0f, 1.0f);
  REQUIRE(wild != tame);
  CHECK(test::compare_bits(classifier(wild).logits, classifier(tame).logits) == "");
}

TEST_CASE("an image that is no image has no prediction") {
  SavedClassifier saved;
  DigitClassifier classifier = saved.classifier();
  std::vector<float> images(2 * kPixels, 0.5f);
  for (const float bad : {std::nanf(""), std::numeric_limits<float>::infinity()}) {
    images[kPixels + 3] = bad;
    CHECK_THROWS_AS(classifier(images), DivergedError);
  }
  CHECK_THROWS_AS(classifier(std::vector<float>(kPixels + 1)), ShapeError);
}

TEST_CASE("accuracy is the share of equal labels") {
  const std::vector<int64_t> labels{3, 1, 4, 1}, expected{3, 1, 5, 1};
  CHECK(accuracy(labels, expected) == 0.75);
  CHECK(accuracy(labels, labels) == 1);
  CHECK(accuracy(labels, std::vector<uint8_t>{0, 0, 0, 0}) == 0);
  CHECK_THROWS_AS(accuracy(labels, std::vector<int64_t>{3, 1, 4}), Error);
}

TEST_CASE("a classifier loads from its file; other models and damaged files are refused") {
  SavedClassifier saved;
  const test::TempDir dir;
  const std::string path = dir / "classifier.safetensors";
  const auto save = [&](const Network& network, const TensorMap& params, ObjectiveType type) {
    save_model(path, network, {.type = type}, params, {}, DType::kF32);
  };
  const auto error = [&] {
    return test::message_of<FormatError>([&] { load_classifier(*saved.context, path); });
  };
  save(saved.network, saved.params, ObjectiveType::kClassify);
  DigitClassifier loaded = load_classifier(*saved.context, path), made = saved.classifier();
  CHECK(loaded.path() == path);
  CHECK(loaded.sha256() == sha256_hex(FileReader(path)));
  const std::vector<float> images = saved.random.uniform(3 * kPixels);
  CHECK(test::compare_bits(loaded(images).logits, made(images).logits) == "");

  save(saved.network, saved.params, ObjectiveType::kDenoise);
  CHECK_THAT(error(), Contains("the objective denoise goes with a network whose output is an "
                               "image, but this one's output is [10]"));
  const Network unet = make_network(test::mnist_config("none", "add", 4), "test");
  const TensorMap unet_params = test::random_params(*saved.context, unet, 1);
  save(unet, unet_params, ObjectiveType::kClassify);
  CHECK_THAT(error(), Contains("the objective classify goes with a network whose output is one "
                               "number per class, but this one's output is [28, 28, 1]"));
  save(unet, unet_params, ObjectiveType::kDenoise);
  CHECK_THAT(error(), Contains("was trained as denoise, expected a classifier"));
  const Network three =
      make_network(R"({"name": "mnist_judge", "hidden": 4, "classes": 3})", "test");
  save(three, test::random_params(*saved.context, three, 1), ObjectiveType::kClassify);
  CHECK(load_classifier(*saved.context, path).classes() == 3);
}

}  // namespace
}  // namespace ebb
