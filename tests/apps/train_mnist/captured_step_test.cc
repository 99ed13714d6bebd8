// A whole training step (gather, noise, forward, backward, Adam, EMA) recorded once and replayed,
// on the emulator.

#include <cmath>

#include "apps/train_mnist/batch_source.h"
#include "nn/autograd/trainer.h"
#include "testing/catch.h"
#include "testing/contexts.h"
#include "testing/tensors.h"

namespace ebb {
namespace {

using autograd::StepResult;
using autograd::Trainer;

// Five different images, so that an epoch is batches of 2, 2 and 1.
MnistDataset five_images() {
  test::RandomData random(1);
  MnistDataset data{.count = 5, .images = {}, .labels = {0, 1, 2, 3, 4}, .fingerprint = "five"};
  for (int64_t i = 0; i < data.count * MnistDataset::kPixels; ++i) {
    data.images.push_back(static_cast<uint8_t>(random.integer(0, 255)));
  }
  return data;
}

struct Run {
  std::unique_ptr<Context> context = make_context("emu", 1);
  TrainConfig config;
  Trainer trainer;
  BatchSource batches;
  std::vector<std::unique_ptr<BatchSource>> sources;

  explicit Run(const TrainConfig& config_in)
      : config(config_in),
        trainer(*context, make_network(config), {.adam = {}, .ema_decay = 0.5, .clip_norm = 0.5}),
        batches(*context, five_images(), config) {
    trainer.params().initialize(3);
  }

  StepResult captured(int64_t step) {
    const Batch& batch = batches.stage_batch(step);
    return trainer.captured_step(
        batch.inputs, batch.target, [&] { batches.make_batch(batch); }, rate(step));
  }
  StepResult captured_parts(int64_t step) {
    for (int64_t part = 0; part < batches.parts(step); ++part) {
      const Batch& batch = batches.stage_part(step, part);
      trainer.run_part(
          batch.inputs, batch.target, [&] { batches.make_batch(batch); },
          batches.share(step, batch));
    }
    return trainer.finish_step(rate(step));
  }
  // Backwards, and each part in a source of its own, so that nothing is recorded but the end.
  StepResult eager_parts(int64_t step) {
    for (int64_t part = batches.parts(step) - 1; part >= 0; --part) {
      sources.push_back(std::make_unique<BatchSource>(*context, five_images(), config));
      const Batch& batch = sources.back()->stage_part(step, part);
      trainer.run_part(
          batch.inputs, batch.target, [&] { sources.back()->make_batch(batch); },
          batches.share(step, batch));
    }
    return trainer.finish_step(rate(step));
  }
  StepResult eager(int64_t step) {
    const Batch batch = batches.batch(step);
    return trainer.step(batch.inputs, batch.target, rate(step));
  }
  static double rate(int64_t step) { return 1e-2 / static_cast<double>(step + 1); }
};

std::string first_difference(const Run& a, const Run& b) {
  const auto &p = a.trainer.params(), &q = b.trainer.params();
  const auto differ = [](const Tensor& x, const Tensor& y) {
    return !test::compare_bits(x.to_host(), y.to_host()).empty();
  };
  if (differ(p.values(), q.values())) return "values";
  if (differ(p.first_moments(), q.first_moments())) return "first moments";
  if (differ(p.second_moments(), q.second_moments())) return "second moments";
  if (differ(p.buffers(), q.buffers())) return "buffers";
  if (differ(p.ema(), q.ema())) return "ema";
  if (differ(p.ema_buffers(), q.ema_buffers())) return "ema buffers";
  return a.trainer.updates() == b.trainer.updates() ? "" : "updates";
}

TEST_CASE("replayed training steps give the bits of eager ones", "[train][emu]") {
  TrainConfig config = preset_config(TrainModel::kClass, Preset::kFa24);
  config.hidden = 4;
  config.batch_size = 2;
  config.class_dropout = 0.5;
  Run recorded(config), eager(config);
  const auto step = [&](int64_t number) {
    CAPTURE(number);
    const StepResult actual = recorded.captured(number), expected = eager.eager(number);
    CHECK(actual.loss == expected.loss);
    CHECK(actual.grad_norm == expected.grad_norm);
    CHECK(actual.updated);
    CHECK(first_difference(recorded, eager) == "");
  };
  step(0);
  step(1);
  CHECK(recorded.trainer.captured_graphs() == 1);
  step(2);  // a smaller batch between, which shares the recording's memory
  CHECK(recorded.trainer.captured_graphs() == 1);
  step(3);
  step(4);

  // A step that is not finite changes nothing, recorded or not.
  const Tensor weight = recorded.trainer.params().value("out.weight");
  const std::vector<float> before = weight.to_host();
  std::vector<float> damaged = before;
  damaged[0] = NAN;
  weight.copy_from_host(damaged);
  const StepResult skipped = recorded.captured(6);
  CHECK_FALSE(skipped.updated);
  CHECK(std::isnan(skipped.loss));
  weight.copy_from_host(before);
  CHECK(first_difference(recorded, eager) == "");
  step(6);
}

// Epochs of a step of five images, in parts of 2, 2 and 1.
TEST_CASE("replayed parts of training steps give the bits of eager ones", "[train][emu]") {
  TrainConfig config = preset_config(TrainModel::kClass, Preset::kFa24);
  config.hidden = 4;
  config.batch_size = 5;
  config.micro_batch_size = 2;
  Run recorded(config), eager(config);
  for (const int64_t number : {0, 1, 2, 3}) {
    CAPTURE(number);
    const StepResult actual = recorded.captured_parts(number), expected = eager.eager_parts(number);
    CHECK(actual.updated);
    CHECK(actual.loss == expected.loss);
    CHECK(actual.grad_norm == expected.grad_norm);
    CHECK(first_difference(recorded, eager) == "");
  }
  CHECK(recorded.trainer.captured_graphs() == 3);  // two sizes of parts, and the end
  CHECK(eager.trainer.captured_graphs() == 1);
}

TEST_CASE("training steps of a classifier are recorded too", "[train][emu]") {
  TrainConfig config = preset_config(TrainModel::kClassifier, Preset::kFa24);
  config.hidden = 4;
  config.batch_size = 5;
  const auto context = make_context("emu", 1);
  BatchSource staged(*context, five_images(), config), fresh(*context, five_images(), config);
  const Batch& batch = staged.stage_batch(0);
  staged.make_batch(batch);
  const auto captured = context->stream()->capture([&] { staged.make_batch(batch); });
  for (const int64_t step : {1, 2}) {
    staged.stage_batch(step);
    captured->launch();
    const Batch expected = fresh.batch(step);
    CHECK(test::compare_bits(batch.inputs.at("x").to_host(), expected.inputs.at("x").to_host()) ==
          "");
    CHECK(batch.target.to_host() == expected.target.to_host());
  }
}

}  // namespace
}  // namespace ebb
