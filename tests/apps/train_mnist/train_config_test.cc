#include "apps/train_mnist/train_config.h"

#include <cmath>

#include "base/error.h"
#include "base/json.h"
#include "testing/catch.h"

namespace ebb {
namespace {

TEST_CASE("a preset's settings are the assignment's") {
  const TrainConfig denoiser = preset_config(TrainModel::kDenoiser, Preset::kFa24);
  CHECK(denoiser.objective.type == ObjectiveType::kDenoise);
  CHECK(denoiser.objective.sigma == 0.5);
  CHECK(denoiser.hidden == 128);
  CHECK(denoiser.batch_size == 256);
  CHECK(denoiser.lr == 1e-4);
  CHECK(denoiser.lr_decay == 1);
  CHECK(denoiser.epochs == 5);

  const TrainConfig ddpm = preset_config(TrainModel::kTime, Preset::kFa24);
  CHECK(ddpm.objective.type == ObjectiveType::kDdpm);
  CHECK(ddpm.objective.timesteps == 300);
  CHECK(ddpm.time_fusion == TimeFusion::kAdd);
  CHECK(ddpm.hidden == 64);
  CHECK(ddpm.batch_size == 128);
  CHECK(ddpm.lr == 1e-3);
  CHECK(ddpm.epochs == 20);

  for (Preset preset : {Preset::kSp25, Preset::kFa25}) {
    const TrainConfig flow = preset_config(TrainModel::kClass, preset);
    CHECK(flow.objective.type == ObjectiveType::kFlow);
    CHECK(flow.time_fusion == TimeFusion::kMultiply);
    CHECK(flow.batch_size == 64);
    CHECK(flow.lr == 1e-2);
    CHECK(flow.epochs == 10);
    CHECK(flow.class_dropout == 0.1);
  }
}

TEST_CASE("the classifier has settings of its own") {
  const TrainConfig classifier = preset_config(TrainModel::kClassifier, Preset::kFa24);
  CHECK(classifier.objective.type == ObjectiveType::kClassify);
  CHECK(output_shape(make_network(classifier)) == Shape{10});
  CHECK(command_line(classifier, Preset::kFa24) == "train_mnist --model classifier --seed 0");
  TrainConfig other = classifier;
  other.max_rotation = 3;
  CHECK(command_line(other, Preset::kFa24) ==
        "train_mnist --model classifier --max-rotation 3.0 --seed 0");
  CHECK(describe_difference(to_json(other), to_json(classifier)).starts_with("max_rotation is 3"));
}

TEST_CASE("sample grids come at the preset's epochs") {
  CHECK(sample_epochs(Preset::kFa24, 20) == std::vector<int64_t>{1, 5, 20});
  CHECK(sample_epochs(Preset::kSp25, 10) == std::vector<int64_t>{5, 10});
}

TEST_CASE("the learning rate falls once an epoch by the same ratio, to a tenth over all epochs") {
  TrainConfig config = preset_config(TrainModel::kClass, Preset::kFa24);
  CHECK(learning_rate(config, 0, 469) == 1e-3);
  CHECK(learning_rate(config, 468, 469) == 1e-3);
  const double ratio = std::pow(0.1, 1.0 / 20);
  CHECK(learning_rate(config, 469, 469) == Approx(1e-3 * ratio).epsilon(1e-14));
  CHECK(learning_rate(config, 469 * 20, 469) == Approx(1e-4).epsilon(1e-14));

  config.lr_warmup_steps = 4;
  CHECK(learning_rate(config, 0, 469) == Approx(0.25e-3).epsilon(1e-14));
  CHECK(learning_rate(config, 3, 469) == Approx(1e-3).epsilon(1e-14));
  CHECK(learning_rate(config, 4, 469) == 1e-3);
}

TEST_CASE("a difference between two runs is named with both values") {
  const TrainConfig mine = preset_config(TrainModel::kClass, Preset::kFa24);
  CHECK(describe_difference(to_json(mine), to_json(mine)).empty());
  TrainConfig other = mine;
  other.lr = 0.5;
  CHECK(describe_difference(to_json(mine), to_json(other)) == "lr is 0.001, the run has 0.5");
  other = mine;
  other.objective.timesteps = 100;
  CHECK(describe_difference(to_json(mine), to_json(other)).starts_with("objective is "));
  CHECK_FALSE(describe_difference(to_json(mine), "not json").empty());
}

TEST_CASE("a run that does not say its precision was trained in f32") {
  TrainConfig config = preset_config(TrainModel::kClass, Preset::kFa24);
  std::string old = to_json(config);
  const std::string said = ",\"precision\":\"f32\"";
  old.erase(old.find(said), said.size());
  CHECK(describe_difference(to_json(config), old).empty());
  config.precision = Precision::kBF16;
  CHECK(describe_difference(to_json(config), old) == "precision is \"bf16\", the run has \"f32\"");
}

TEST_CASE("how long a run goes on is no difference") {
  const TrainConfig mine = preset_config(TrainModel::kClass, Preset::kFa24);
  TrainConfig longer = mine;
  longer.max_steps = 7;
  CHECK(describe_difference(to_json(mine), to_json(longer)).empty());
}

TEST_CASE("the command line repeats a run with as few flags as possible") {
  TrainConfig config = preset_config(TrainModel::kClass, Preset::kFa24);
  config.seed = 3;
  CHECK(command_line(config, Preset::kFa24) == "train_mnist --model class --seed 3");
  config.hidden = 12;
  config.ema_decay = 0.999;
  CHECK(command_line(config, Preset::kFa24) ==
        "train_mnist --model class --hidden 12 --ema-decay 0.999 --seed 3");
  config.precision = Precision::kBF16;
  CHECK(command_line(config, Preset::kFa24) ==
        "train_mnist --model class --hidden 12 --ema-decay 0.999 --precision bf16 --seed 3");
  const TrainConfig flow = preset_config(TrainModel::kTime, Preset::kFa25);
  CHECK(command_line(flow, Preset::kFa25) == "train_mnist --model time --preset fa25 --seed 0");
  CHECK(command_line(flow, Preset::kSp25) == "train_mnist --model time --preset sp25 --seed 0");
  // Flow matching with the settings of a preset that trains DDPM.
  TrainConfig mixed = preset_config(TrainModel::kTime, Preset::kFa24);
  mixed.objective.type = ObjectiveType::kFlow;
  CHECK(command_line(mixed, Preset::kFa24) == "train_mnist --model time --objective flow --seed 0");
  const TrainConfig quick = preset_config(TrainModel::kClass, Preset::kQuick);
  CHECK(command_line(quick, Preset::kQuick) == "train_mnist --model class --preset quick --seed 0");
}

TEST_CASE("a stored config reads back as it was") {
  for (TrainModel model :
       {TrainModel::kDenoiser, TrainModel::kTime, TrainModel::kClass, TrainModel::kClassifier}) {
    for (Preset preset : {Preset::kFa24, Preset::kSp25, Preset::kQuick}) {
      TrainConfig config = preset_config(model, preset);
      config.max_steps = 0;  // is no part of it
      config.seed = (uint64_t{1} << 63) + 1;
      config.lr = 0.1 + 0.2;
      config.classes = 26;
      config.clip_norm = 1;
      config.precision = Precision::kBF16;
      CHECK(parse_config(to_json(config)) == config);
    }
  }
}

TEST_CASE("a damaged config is refused") {
  const std::string good = to_json(preset_config(TrainModel::kClass, Preset::kFa24));
  const auto with = [&](const std::string& from, const std::string& to) {
    std::string text = good;
    REQUIRE(text.find(from) != std::string::npos);
    return text.replace(text.find(from), from.size(), to);
  };
  CHECK_THROWS_AS(parse_config("{"), JsonError);
  CHECK_THROWS_AS(parse_config("{}"), JsonError);
  CHECK_THROWS_AS(parse_config(with("\"hidden\":64", "\"hidden\":0")), FormatError);
  CHECK_THROWS_AS(parse_config(with("\"batch_size\":128", "\"batch_size\":-1")), FormatError);
  CHECK_THROWS_AS(parse_config(with("\"hidden\":64", "\"hidden\":\"x\"")), JsonError);
  CHECK_THROWS_AS(parse_config(with("\"class\"", "\"cat\"")), UsageError);
}

TEST_CASE("a run that was trained under the classifier's former name goes on") {
  const std::string json = to_json(preset_config(TrainModel::kClassifier, Preset::kFa24));
  REQUIRE(json.find(R"("model":"classifier")") != std::string::npos);
  std::string former = json;
  former.replace(former.find("classifier"), std::string("classifier").size(), "judge");
  CHECK(describe_difference(json, former) == "");
  const std::string other = to_json(preset_config(TrainModel::kClass, Preset::kFa24));
  CHECK(describe_difference(other, former) != "");
}

}  // namespace
}  // namespace ebb
