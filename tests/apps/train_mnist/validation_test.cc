#include "apps/train_mnist/validation.h"

#include <cmath>

#include "nn/autograd/tape.h"
#include "testing/catch.h"
#include "testing/contexts.h"

namespace ebb {
namespace {

MnistDataset noise_images(int64_t count) {
  MnistDataset data{.count = count, .images = {}, .labels = {}, .fingerprint = "noise"};
  uint32_t state = 1;
  for (int64_t i = 0; i < count * MnistDataset::kPixels; ++i) {
    state = state * 1664525u + 1013904223u;
    data.images.push_back(static_cast<uint8_t>(state >> 24));
  }
  for (int64_t i = 0; i < count; ++i) data.labels.push_back(static_cast<uint8_t>(i % 10));
  return data;
}

TrainConfig small_config(TrainModel model, Preset preset = Preset::kFa24) {
  TrainConfig config = preset_config(model, preset);
  config.hidden = 4;
  config.batch_size = 8;
  return config;
}

struct Run {
  std::unique_ptr<Context> context = test::cpu_context();
  TrainConfig config;
  autograd::Trainer trainer;

  explicit Run(const TrainConfig& of)
      : config(of), trainer(*context, make_network(of), {.adam = {}, .ema_decay = of.ema_decay}) {
    trainer.params().initialize(5);
  }
  double validation(const TrainConfig& as, int64_t images = 64) {
    Validation measure(*context, noise_images(100), as, images);
    return *measure.loss(trainer, [] { return true; });
  }
};

TEST_CASE("the images of a validation are whole batches") {
  Run run(small_config(TrainModel::kTime));
  const auto images = [&](int64_t there, int64_t wanted) {
    return Validation(*run.context, noise_images(there), run.config, wanted).images();
  };
  CHECK(images(300, 256) == 256);
  CHECK(images(200, 256) == 192);
  CHECK(images(50, 256) == 50);
  CHECK(images(300, 20) == 20);
}

TEST_CASE("the validation loss is the mean squared error of the network at inference") {
  for (TrainModel model : {TrainModel::kDenoiser, TrainModel::kTime, TrainModel::kClass}) {
    Run run(small_config(model));
    // The same examples, as one batch through the tape.
    TrainConfig fixed = run.config;
    fixed.batch_size = 64;
    fixed.seed = 0;
    fixed.class_dropout = 0;
    MnistDataset spread_images = noise_images(64);
    BatchSource source(*run.context, spread_images, fixed);
    const Batch batch = source.batch(0);
    autograd::Tape tape(*run.context, run.trainer.params(), autograd::Mode::kEval);
    std::vector<Value> values;
    for (const NetworkInput& input : run.trainer.network().inputs) {
      values.push_back(tape.input(batch.inputs.at(input.name)));
    }
    const Value output = run.trainer.network().forward(tape, values);
    const double expected =
        tape.tensor(tape.mse_loss(output, tape.input(batch.target))).to_host()[0];
    Validation validation(*run.context, spread_images, run.config, 64);
    CHECK(*validation.loss(run.trainer, [] { return true; }) == Approx(expected).epsilon(1e-5));
  }
}

TEST_CASE("seed, batch size and class dropout of a run leave its validation alone") {
  Run run(small_config(TrainModel::kClass));
  TrainConfig other = run.config;
  other.seed = 9;
  other.batch_size = 31;
  other.class_dropout = 1;
  other.overfit_batch = true;
  CHECK(run.validation(run.config) == run.validation(other));
}

TEST_CASE("a validation changes nothing of the trainer, and measures the moving average") {
  TrainConfig config = small_config(TrainModel::kClass);
  config.ema_decay = 0.5;
  Run run(config), undisturbed(config);
  BatchSource batches(*run.context, noise_images(16), config);
  const auto step = [&](Run& at, int64_t number) {
    const Batch batch = batches.batch(number);
    at.trainer.step(batch.inputs, batch.target, 0.01);
  };
  step(run, 0);
  const double first = run.validation(config);
  CHECK(run.validation(config) == first);
  step(undisturbed, 0);
  step(run, 1);
  step(undisturbed, 1);
  CHECK(run.trainer.params().values().to_host() == undisturbed.trainer.params().values().to_host());
  CHECK(run.trainer.params().buffers().to_host() ==
        undisturbed.trainer.params().buffers().to_host());
  CHECK(run.validation(config) != first);
}

TEST_CASE("a validation that is stopped has no figure") {
  Run run(small_config(TrainModel::kTime));
  Validation validation(*run.context, noise_images(128), run.config, 128);
  int asked = 0;
  CHECK_FALSE(validation.loss(run.trainer, [&] { return ++asked < 2; }));
  CHECK(asked == 2);
}

}  // namespace
}  // namespace ebb
