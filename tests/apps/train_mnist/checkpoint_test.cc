#include "apps/train_mnist/checkpoint.h"

#include <cmath>
#include <fstream>
#include <limits>

#include "apps/train_mnist/batch_source.h"
#include "testing/catch.h"
#include "testing/contexts.h"
#include "testing/errors.h"
#include "testing/temp_dir.h"

namespace ebb {
namespace {

MnistDataset noise_images() {
  MnistDataset data{.count = 16, .images = {}, .labels = {}, .fingerprint = "noise"};
  uint32_t state = 1;
  for (int64_t i = 0; i < data.count * MnistDataset::kPixels; ++i) {
    state = state * 1664525u + 1013904223u;
    data.images.push_back(static_cast<uint8_t>(state >> 24));
  }
  for (int64_t i = 0; i < data.count; ++i) data.labels.push_back(static_cast<uint8_t>(i % 10));
  return data;
}

TrainConfig small_config() {
  TrainConfig config = preset_config(TrainModel::kClass, Preset::kFa24);
  config.hidden = 4;
  config.batch_size = 8;
  config.ema_decay = 0.5;
  return config;
}

struct Run {
  std::unique_ptr<Context> context = test::cpu_context();
  TrainConfig config = small_config();
  autograd::Trainer trainer{*context, make_network(config), {.adam = {}, .ema_decay = 0.5}};
  BatchSource batches{*context, noise_images(), config};

  void steps(int64_t first, int64_t count) {
    for (int64_t step = first; step < first + count; ++step) {
      const Batch batch = batches.batch(step);
      trainer.step(batch.inputs, batch.target, 1e-3);
    }
  }
};

bool same_state(const autograd::ParamStore& a, const autograd::ParamStore& b) {
  const auto equal = [](const Tensor& x, const Tensor& y) { return x.to_host() == y.to_host(); };
  return equal(a.values(), b.values()) && equal(a.buffers(), b.buffers()) &&
         equal(a.ema(), b.ema()) && equal(a.ema_buffers(), b.ema_buffers()) &&
         equal(a.first_moments(), b.first_moments()) &&
         equal(a.second_moments(), b.second_moments());
}

const TrainProgress kProgress{.step = 3,
                              .loss_sum = 0.1 + 0.2,
                              .loss_count = 1,
                              .epoch_losses = {1.0 / 3},
                              .test_accuracies = {0.25, 0.99},
                              .validation_losses = {0.5, 0.125}};

TEST_CASE("a restored trainer goes on bit for bit") {
  const test::TempDir dir;
  const std::string path = dir / "checkpoint.safetensors";
  Run whole, restored;
  whole.trainer.params().initialize(5);
  whole.steps(0, 3);
  save_checkpoint(path, whole.trainer, kProgress, whole.config, {}, "data");

  const TrainProgress progress =
      load_checkpoint(path, restored.trainer, restored.config, "data", false);
  CHECK(progress.step == kProgress.step);
  CHECK(progress.loss_sum == kProgress.loss_sum);
  CHECK(progress.loss_count == kProgress.loss_count);
  CHECK(progress.epoch_losses == kProgress.epoch_losses);
  CHECK(progress.test_accuracies == kProgress.test_accuracies);
  CHECK(progress.validation_losses == kProgress.validation_losses);
  CHECK(restored.trainer.updates() == 3);
  REQUIRE(same_state(whole.trainer.params(), restored.trainer.params()));
  whole.steps(3, 2);
  restored.steps(3, 2);
  CHECK(same_state(whole.trainer.params(), restored.trainer.params()));
}

TEST_CASE("the mean loss of an epoch without an update stays NaN") {
  const test::TempDir dir;
  const std::string path = dir / "checkpoint.safetensors";
  Run run;
  run.trainer.params().initialize(5);
  TrainProgress progress = kProgress;
  progress.epoch_losses.push_back(std::numeric_limits<double>::quiet_NaN());
  save_checkpoint(path, run.trainer, progress, run.config, {}, "data");
  const auto losses = load_checkpoint(path, run.trainer, run.config, "data", false).epoch_losses;
  REQUIRE(losses.size() == 2);
  CHECK(losses[0] == 1.0 / 3);
  CHECK(std::isnan(losses[1]));
}

TEST_CASE("a checkpoint of another run or data set is refused unless forced") {
  const test::TempDir dir;
  const std::string path = dir / "checkpoint.safetensors";
  Run run;
  run.trainer.params().initialize(5);
  save_checkpoint(path, run.trainer, kProgress, run.config, {}, "data");
  TrainConfig other = run.config;
  other.lr = 0.25;
  CHECK_THROWS_AS(load_checkpoint(path, run.trainer, other, "data", false), FormatError);
  CHECK_THROWS_AS(load_checkpoint(path, run.trainer, run.config, "others", false), FormatError);
  CHECK_NOTHROW(load_checkpoint(path, run.trainer, other, "others", true));
}

TEST_CASE("a checkpoint with any byte changed or any length cut is refused") {
  const test::TempDir dir;
  const std::string path = dir / "checkpoint.safetensors", bad = dir / "bad.safetensors";
  Run run;
  run.trainer.params().initialize(5);
  save_checkpoint(path, run.trainer, kProgress, run.config, {}, "data");
  CHECK_NOTHROW(check_checkpoint(path));
  std::ifstream file(path, std::ios::binary);
  const std::string good((std::istreambuf_iterator<char>(file)), {});
  const auto refuses = [&](const std::string& content) {
    std::ofstream(bad, std::ios::binary) << content;
    CHECK_THROWS_AS(check_checkpoint(bad), FormatError);
  };
  for (size_t i = 0; i < 50; ++i) {
    std::string flipped = good;
    flipped[good.size() * i / 50] ^= static_cast<char>(1 << (i % 8));
    refuses(flipped);
    refuses(good.substr(0, good.size() * i / 50));
  }
}

}  // namespace
}  // namespace ebb
