#include "apps/train_mnist/run_settings.h"

#include <filesystem>
#include <fstream>

#include "apps/train_mnist/checkpoint.h"
#include "testing/catch.h"
#include "testing/contexts.h"
#include "testing/errors.h"
#include "testing/temp_dir.h"

namespace ebb {
namespace {

TrainConfig small_config() {
  TrainConfig config = preset_config(TrainModel::kClass, Preset::kSp25);
  config.hidden = 4;
  config.max_steps = 77;
  return config;
}

void save(const std::string& path, const RunSettings& settings) {
  const auto context = test::cpu_context();
  autograd::Trainer trainer(*context, make_network(small_config()), {});
  trainer.params().initialize(1);
  save_checkpoint(path, trainer, {.step = 3}, small_config(), settings, "data");
}

TEST_CASE("a checkpoint gives back how its run was carried out") {
  const test::TempDir dir;
  const RunSettings settings{.preset = Preset::kSp25,
                             .data = dir / ".",
                             .save_every = 7,
                             .keep_last = 5,
                             .sample_every = 3,
                             .validation_images = 0,
                             .classifier = "mnist-classifier"};
  const std::string path = dir / "checkpoint-00000003.safetensors";
  save(path, settings);
  for (const std::string& resume : {path, std::string("auto")}) {
    const auto found = find_stored_run(resume, dir / ".");
    REQUIRE(found);
    CHECK(found->config == small_config());
    CHECK(found->settings.preset == settings.preset);
    CHECK(std::filesystem::equivalent(found->settings.data, settings.data));
    CHECK(found->settings.save_every == 7);
    CHECK(found->settings.keep_last == 5);
    CHECK(found->settings.sample_every == 3);
    CHECK(found->settings.validation_images == 0);
    CHECK(found->settings.classifier == settings.classifier);
  }
}

TEST_CASE("data that is gone leaves the usual place") {
  const test::TempDir dir;
  const std::string path = dir / "checkpoint-00000003.safetensors";
  save(path, {.preset = Preset::kSp25, .data = dir / "gone/mnist", .classifier = ""});
  CHECK(find_stored_run(path, "")->settings.data.empty());
}

TEST_CASE("there may be no run to resume, or none that can be read") {
  const test::TempDir dir;
  CHECK_FALSE(find_stored_run("", dir / "."));
  CHECK_FALSE(find_stored_run("auto", dir / "."));
  CHECK_FALSE(find_stored_run("auto", dir / "missing"));
  std::ofstream(dir / "checkpoint-00000009.safetensors") << "mine";
  CHECK_THROWS_AS(find_stored_run("auto", dir / "."), FormatError);
  save(dir / "checkpoint-00000003.safetensors", {});
  CHECK(find_stored_run("auto", dir / ".")->path == (dir / "./checkpoint-00000003.safetensors"));
  CHECK_THROWS_AS(find_stored_run(dir / "none", ""), IoError);
}

}  // namespace
}  // namespace ebb
