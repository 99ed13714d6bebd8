#include "apps/train_mnist/batch_source.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "diffusion/schedule.h"
#include "testing/catch.h"
#include "testing/contexts.h"

namespace ebb {
namespace {

constexpr int64_t kImages = 37;

// Image i is filled with the value i, so that an image identifies itself; its label is i % 10.
MnistDataset numbered_images() {
  MnistDataset data{.count = kImages, .images = {}, .labels = {}, .fingerprint = "numbered"};
  for (int64_t i = 0; i < kImages; ++i) {
    data.images.insert(data.images.end(), MnistDataset::kPixels, static_cast<uint8_t>(i));
    data.labels.push_back(static_cast<uint8_t>(i % 10));
  }
  return data;
}

TrainConfig config_of(TrainModel model, Preset preset = Preset::kFa24) {
  TrainConfig config = preset_config(model, preset);
  config.batch_size = 8;
  return config;
}

// The images of a denoiser's batch: its targets are the clean images.
std::vector<int64_t> image_numbers(const Batch& batch) {
  const std::vector<float> target = batch.target.to_host();
  std::vector<int64_t> numbers;
  for (int64_t i = 0; i < batch.images; ++i) {
    numbers.push_back(std::lround(target[static_cast<size_t>(i * MnistDataset::kPixels)] * 255));
  }
  return numbers;
}

std::vector<int64_t> epoch_order(BatchSource& source, int64_t epoch) {
  std::vector<int64_t> order;
  for (int64_t i = 0; i < source.steps_per_epoch(); ++i) {
    const auto part = image_numbers(source.batch(epoch * source.steps_per_epoch() + i));
    order.insert(order.end(), part.begin(), part.end());
  }
  return order;
}

bool equal(const Batch& a, const Batch& b) {
  if (a.target.to_host() != b.target.to_host() || a.inputs.size() != b.inputs.size()) return false;
  return std::all_of(a.inputs.begin(), a.inputs.end(), [&](const auto& input) {
    return input.second.to_host() == b.inputs.at(input.first).to_host();
  });
}

TEST_CASE("an epoch visits every image once, each epoch in another order") {
  const auto context = test::cpu_context();
  BatchSource source(*context, numbered_images(), config_of(TrainModel::kDenoiser));
  REQUIRE(source.steps_per_epoch() == 5);
  CHECK(source.batch(4).images == 5);
  const auto first = epoch_order(source, 0), second = epoch_order(source, 1);
  CHECK(std::set<int64_t>(first.begin(), first.end()).size() == kImages);
  CHECK(std::set<int64_t>(second.begin(), second.end()).size() == kImages);
  CHECK(first != second);
  CHECK_FALSE(std::is_sorted(first.begin(), first.end()));
}

TEST_CASE("a batch depends on its step alone, not on the batches before it") {
  const auto context = test::cpu_context();
  const MnistDataset data = numbered_images();
  for (TrainModel model : {TrainModel::kDenoiser, TrainModel::kTime, TrainModel::kClass}) {
    BatchSource forward(*context, data, config_of(model)), fresh(*context, data, config_of(model));
    for (int64_t step = 0; step < 6; ++step) forward.batch(step);
    CHECK(equal(forward.batch(6), fresh.batch(6)));
    CHECK_FALSE(equal(forward.batch(6), fresh.batch(7)));
  }
}

TEST_CASE("another seed gives another order and other noise") {
  const auto context = test::cpu_context();
  TrainConfig config = config_of(TrainModel::kDenoiser);
  BatchSource a(*context, numbered_images(), config);
  config.seed = 1;
  BatchSource b(*context, numbered_images(), config);
  CHECK(epoch_order(a, 0) != epoch_order(b, 0));
}

TEST_CASE("a DDPM batch mixes image and noise as the schedule says") {
  const auto context = test::cpu_context();
  const TrainConfig config = config_of(TrainModel::kClass);
  BatchSource source(*context, numbered_images(), config);
  const NoiseSchedule schedule = ddpm_schedule(config.objective);
  const Batch batch = source.batch(2);
  const auto x = batch.inputs.at("x").to_host(), t = batch.inputs.at("t").to_host();
  const auto c = batch.inputs.at("c").to_host(), noise = batch.target.to_host();
  int dropped = 0;
  for (int64_t i = 0; i < batch.images; ++i) {
    const int64_t k = std::lround(static_cast<double>(t[static_cast<size_t>(i)]) * 300) - 1;
    REQUIRE(k >= 0);
    REQUIRE(k < 300);
    const double ab = schedule.alpha_bar[static_cast<size_t>(k)];
    // The clean image, recovered from every pixel, is one value: 255 * x0 is its number.
    const size_t at = static_cast<size_t>(i * MnistDataset::kPixels);
    const double x0 = (x[at] - std::sqrt(1 - ab) * noise[at]) / std::sqrt(ab);
    const int64_t number = std::lround(x0 * 255);
    for (size_t p = at; p < at + MnistDataset::kPixels; ++p) {
      const double expected =
          std::sqrt(ab) * static_cast<double>(number) / 255 + std::sqrt(1 - ab) * noise[p];
      REQUIRE(x[p] == Approx(expected).margin(1e-5));
    }
    std::vector<float> one_hot(10, 0.0f);
    const auto row = c.begin() + i * 10;
    if (std::vector<float>(row, row + 10) == one_hot) {
      ++dropped;
      continue;
    }
    one_hot[static_cast<size_t>(number % 10)] = 1;
    CHECK(std::vector<float>(row, row + 10) == one_hot);
  }
  CHECK(dropped < batch.images);
}

TEST_CASE("a flow batch lies on the line from noise to image") {
  const auto context = test::cpu_context();
  BatchSource source(*context, numbered_images(), config_of(TrainModel::kTime, Preset::kFa25));
  const Batch batch = source.batch(0);
  const auto x = batch.inputs.at("x").to_host(), velocity = batch.target.to_host();
  const auto t = batch.inputs.at("t").to_host();
  for (int64_t i = 0; i < batch.images; ++i) {
    // x + (1 - t) v = data: one value over the whole image.
    const double left = 1 - static_cast<double>(t[static_cast<size_t>(i)]);
    const size_t at = static_cast<size_t>(i * MnistDataset::kPixels);
    const double data = x[at] + left * velocity[at];
    CHECK(data * 255 == Approx(static_cast<double>(std::lround(data * 255))).margin(1e-3));
    for (size_t p = at; p < at + MnistDataset::kPixels; ++p) {
      REQUIRE(x[p] + left * velocity[p] == Approx(data).margin(1e-5));
    }
  }
}

TEST_CASE("overfitting repeats the images of one batch under new noise") {
  const auto context = test::cpu_context();
  TrainConfig config = config_of(TrainModel::kDenoiser);
  config.overfit_batch = true;
  BatchSource source(*context, numbered_images(), config);
  const Batch first = source.batch(0), later = source.batch(13);
  CHECK(image_numbers(first) == image_numbers(later));
  CHECK(first.inputs.at("x").to_host() != later.inputs.at("x").to_host());
}

TEST_CASE("the classifier sees moved images and their labels") {
  const auto context = test::cpu_context();
  TrainConfig config = config_of(TrainModel::kClassifier);
  config.max_shift = config.max_rotation = 0;
  BatchSource batches(*context, numbered_images(), config);
  const Batch batch = batches.batch(1);
  CHECK(batch.images == 8);
  CHECK(batch.inputs.size() == 1);
  const std::vector<float> x = batch.inputs.at("x").to_host(), target = batch.target.to_host();
  for (int64_t n = 0; n < 8; ++n) {
    const auto number = static_cast<int64_t>(std::lround(x[n * MnistDataset::kPixels] * 255));
    for (int64_t k = 0; k < 10; ++k) CHECK(target[n * 10 + k] == (number % 10 == k ? 1 : 0));
  }
  config.max_shift = 3;
  BatchSource moved(*context, numbered_images(), config);
  CHECK(moved.batch(1).target.to_host() == target);
  CHECK(moved.batch(1).inputs.at("x").to_host() != x);
  const int64_t epoch = batches.steps_per_epoch();
  CHECK(moved.batch(1).inputs.at("x").to_host() != moved.batch(1 + epoch).inputs.at("x").to_host());
}

TEST_CASE("the parts of a batch are the batch") {
  const auto context = test::cpu_context();
  TrainConfig config = config_of(TrainModel::kClass);
  config.micro_batch_size = 3;
  BatchSource source(*context, numbered_images(), config);
  for (const int64_t step : {0, 4, 9}) {  // 8, 5 and 5 images
    CAPTURE(step);
    const Batch whole = source.batch(step);
    CHECK(source.images(step) == whole.images);
    CHECK(source.parts(step) == (whole.images + 2) / 3);
    std::map<std::string, std::vector<float>> joined;
    double weights = 0;
    for (int64_t part = 0; part < source.parts(step); ++part) {
      const Batch& staged = source.stage_part(step, part);
      source.make_batch(staged);
      const FixedShare share = source.share(step, staged);
      weights += share.scale * 0x1p-48;
      CHECK(share.scale * 0x1p-48 * static_cast<double>(whole.images) ==
            Approx(static_cast<double>(staged.images)));
      CHECK(share.limit == 0x1p63 / static_cast<double>(source.parts(step)));
      const auto append = [&](const std::string& name, const Tensor& tensor) {
        const std::vector<float> more = tensor.to_host();
        joined[name].insert(joined[name].end(), more.begin(), more.end());
      };
      append("target", staged.target);
      for (const auto& [name, tensor] : staged.inputs) append(name, tensor);
    }
    CHECK(weights == Approx(1));
    CHECK(joined.at("target") == whole.target.to_host());
    for (const auto& [name, tensor] : whole.inputs) CHECK(joined.at(name) == tensor.to_host());
  }
  CHECK_THROWS_AS(source.stage_part(0, 3), Error);
}

}  // namespace
}  // namespace ebb
