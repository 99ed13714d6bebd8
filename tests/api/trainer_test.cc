#include "nn/autograd/trainer.h"

#include <ebb/pipeline.h>
#include <ebb/trainer.h>

#include "apps/train_mnist/batch_source.h"
#include "diffusion/model.h"
#include "testing/catch.h"
#include "testing/contexts.h"
#include "testing/errors.h"
#include "testing/random_data.h"
#include "testing/temp_dir.h"

namespace ebb::api {
namespace {

using Catch::Matchers::Contains;
using test::TempDir;

constexpr int64_t kImages = 10;

struct Data {
  std::vector<uint8_t> pixels = test::RandomData(3).bytes(kImages * 784);
  std::vector<Image> images;
  std::vector<int64_t> labels;

  Data() {
    for (int64_t i = 0; i < kImages; ++i) {
      images.push_back({.width = 28,
                        .height = 28,
                        .channels = 1,
                        .pixels = {pixels.begin() + i * 784, pixels.begin() + (i + 1) * 784}});
      labels.push_back(i % 3);
    }
  }
};

// The losses of as many steps of train_mnist's own parts, and the weights after them.
std::vector<double> losses_of_parts(const Data& data, const TrainConfig& config, int64_t steps,
                                    std::map<std::string, std::vector<float>>& weights) {
  const auto context = test::cpu_context();
  const MnistDataset dataset{.count = kImages,
                             .images = data.pixels,
                             .labels = {data.labels.begin(), data.labels.end()},
                             .fingerprint = "",
                             .classes = config.classes};
  BatchSource batches(*context, dataset, config);
  autograd::Trainer trainer(*context, make_network(config),
                            {.adam = {}, .ema_decay = config.ema_decay});
  trainer.params().initialize(config.seed);
  std::vector<double> losses;
  for (int64_t step = 0; step < steps; ++step) {
    const ebb::Batch batch = batches.batch(step);
    losses.push_back(trainer.step(batch.inputs, batch.target, config.lr).loss);
  }
  for (const auto& [name, tensor] : trainer.params().final_weights()) {
    weights[name] = tensor.to_host();
  }
  return losses;
}

TEST_CASE("training gives the losses and the weights of train_mnist") {
  const Data data;
  const Context context = make_context({.device = "cpu", .threads = 1});
  struct Case {
    const char* objective;
    bool with_labels;
    TrainModel model;
    ObjectiveType type;
  };
  for (const Case& c : {Case{"ddpm", true, TrainModel::kClass, ObjectiveType::kDdpm},
                        Case{"flow", true, TrainModel::kClass, ObjectiveType::kFlow},
                        Case{"flow", false, TrainModel::kTime, ObjectiveType::kFlow},
                        Case{"denoise", false, TrainModel::kDenoiser, ObjectiveType::kDenoise}}) {
    INFO(c.objective << (c.with_labels ? ", labels" : ""));
    TrainConfig config;
    config.model = c.model;
    config.objective.type = c.type;
    config.time_fusion = c.type == ObjectiveType::kFlow ? TimeFusion::kMultiply : TimeFusion::kAdd;
    config.hidden = 2;
    config.classes = 3;
    config.batch_size = 4;  // the third batch of an epoch has two images
    config.ema_decay = 0.5;
    config.seed = 9;
    std::map<std::string, std::vector<float>> wanted;
    const std::vector<double> losses = losses_of_parts(data, config, 4, wanted);

    Trainer trainer(
        context, data.images,
        c.with_labels ? std::span<const int64_t>(data.labels) : std::span<const int64_t>(),
        {.objective = c.objective, .hidden = 2, .batch_size = 4, .ema_decay = 0.5, .seed = 9});
    CHECK(trainer.steps_per_epoch() == 3);
    for (const double loss : losses) {
      const TrainerStep step = trainer.step();
      CHECK(step.loss == loss);
      CHECK(step.updated);
    }
    CHECK(trainer.steps() == 4);
    CHECK(trainer.model().objective() == c.objective);
    CHECK(trainer.model().classes() == (c.with_labels ? 3 : 0));

    const TempDir dir;
    trainer.save(dir / "m.safetensors");
    const auto cpu = test::cpu_context();
    const ebb::Model saved = ebb::Model::load(*cpu, dir / "m.safetensors");
    REQUIRE(saved.params.size() == wanted.size());
    for (const auto& [name, values] : wanted) CHECK(saved.params.at(name).to_host() == values);
  }
}

TEST_CASE("a model taken from a trainer does not change with further steps") {
  const Data data;
  const Context context = make_context({.device = "cpu", .threads = 1});
  Trainer trainer(context, data.images, {}, {.objective = "flow", .hidden = 2, .batch_size = 4});
  trainer.step();
  const Pipeline early(context, trainer.model(), {.steps = 2});
  const auto before = early.generate({.seed = 4});
  for (int i = 0; i < 5; ++i) trainer.step(0.1);
  CHECK(early.generate({.seed = 4}) == before);
  CHECK(Pipeline(context, trainer.model(), {.steps = 2}).generate({.seed = 4}) != before);
}

TEST_CASE("training data and options that do not fit are named") {
  const Data data;
  const Context context = make_context({.device = "cpu", .threads = 1});
  const auto error = [&](std::span<const Image> images, std::span<const int64_t> labels,
                         const TrainerOptions& options) {
    return test::message_of<UsageError>([&] { Trainer(context, images, labels, options); });
  };
  CHECK_THAT(error({}, {}, {}), Contains("images: there are none"));
  CHECK_THAT(error(data.images, std::span(data.labels).first(3), {}), Contains("labels: 3 for 10"));
  std::vector<Image> images = data.images;
  images[4].channels = 3;
  CHECK_THAT(error(images, {}, {}), Contains("images[4]: is 28 x 28 with 3 channels"));
  std::vector<int64_t> labels = data.labels;
  labels[2] = 256;
  CHECK_THAT(error(data.images, labels, {}), Contains("labels[2] 256: must be 0..255"));
  CHECK_THAT(error(data.images, data.labels, {.classes = 2}), Contains("labels[2] 2"));
  CHECK_THAT(error(data.images, {}, {.classes = 2}), Contains("classes 2: given without labels"));
  CHECK_THAT(error(data.images, data.labels, {.objective = "denoise"}), Contains("denoise"));
  CHECK_THAT(error(data.images, {}, {.objective = "score"}), Contains("objective score"));
  CHECK_THAT(error(data.images, {}, {.batch_size = 0}), Contains("batch_size 0"));
  CHECK_THAT(error(data.images, {}, {.class_dropout = 2}), Contains("class_dropout 2"));
  CHECK_THAT(error(data.images, {}, {.ema_decay = 1}), Contains("ema_decay 1"));
  CHECK_THAT(error(data.images, {}, {.clip_norm = -1}), Contains("clip_norm -1"));
  CHECK_THAT(error(data.images, {}, {.classes = -1}), Contains("classes -1"));
}

}  // namespace
}  // namespace ebb::api
