#include "apps/train_mnist/train_config.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <sstream>

#include "apps/training/stored_number.h"
#include "base/error.h"
#include "base/json.h"
#include "base/text.h"

namespace ebb {
namespace {

constexpr const char* kFormerClassifier = "judge";  // in the config of older runs

constexpr int64_t kDigits = 10;

Json to_json_object(const TrainConfig& config) {
  Json json;
  json["model"] = to_string(config.model);
  json["objective"] = Json::parse(to_json(config.objective));
  json["time_fusion"] = config.time_fusion == TimeFusion::kAdd ? "add" : "multiply";
  json["hidden"] = config.hidden;
  if (config.classes != kDigits) json["classes"] = config.classes;
  json["batch_size"] = config.batch_size;
  if (config.micro_batch_size > 0) json["micro_batch_size"] = config.micro_batch_size;
  json["lr"] = config.lr;
  json["lr_decay"] = config.lr_decay;
  json["lr_warmup_steps"] = config.lr_warmup_steps;
  json["epochs"] = config.epochs;
  json["class_dropout"] = config.class_dropout;
  json["ema_decay"] = config.ema_decay;
  json["clip_norm"] = config.clip_norm;
  json["overfit_batch"] = config.overfit_batch;
  json["seed"] = config.seed;
  json["precision"] = to_string(config.precision);
  if (config.model == TrainModel::kClassifier) {
    json["max_shift"] = config.max_shift;
    json["max_rotation"] = config.max_rotation;
  }
  return json;
}

}  // namespace

const char* to_string(Preset preset) { return kPresetNames[static_cast<size_t>(preset)]; }

Preset parse_preset(const std::string& name) {
  const auto* const found = std::find(kPresetNames.begin(), kPresetNames.end(), name);
  EBB_CHECK(found != kPresetNames.end(), UsageError, "--preset ", terminal_safe(name),
            ": must be one of fa24, sp25, fa25, quick");
  return static_cast<Preset>(found - kPresetNames.begin());
}

Preset preset_of(const TrainConfig& config) {
  return config.objective.type == ObjectiveType::kFlow ? Preset::kFa25 : Preset::kFa24;
}

TrainModel parse_model(const std::string& name) {
  for (const TrainModel model :
       {TrainModel::kDenoiser, TrainModel::kTime, TrainModel::kClass, TrainModel::kClassifier}) {
    if (name == to_string(model)) return model;
  }
  EBB_CHECK(name == kFormerClassifier, UsageError, "--model ", terminal_safe(name),
            ": must be one of denoiser, time, class, classifier");
  return TrainModel::kClassifier;
}

const char* to_string(TrainModel model) {
  switch (model) {
    case TrainModel::kDenoiser:
      return "denoiser";
    case TrainModel::kTime:
      return "time";
    case TrainModel::kClass:
      return "class";
    case TrainModel::kClassifier:
      return "classifier";
  }
  return "unknown";
}

TrainConfig preset_config(TrainModel model, Preset preset) {
  TrainConfig config;
  config.model = model;
  if (model == TrainModel::kDenoiser) {
    config.objective.type = ObjectiveType::kDenoise;
    config.hidden = 128;
    config.batch_size = 256;
    config.lr = 1e-4;
    config.lr_decay = 1;
    config.epochs = 5;
    if (preset == Preset::kQuick) {
      config.hidden = 32;
      config.batch_size = 64;
      config.lr = 1e-3;
      config.max_steps = 300;
    }
    return config;
  }
  if (model == TrainModel::kClassifier) {
    config.objective.type = ObjectiveType::kClassify;
    config.hidden = 16;
    config.lr = 2e-3;
    config.lr_decay = 0.01;
    config.epochs = 8;
    config.ema_decay = 0.98;
    config.max_shift = 2;
    config.max_rotation = 12;
    return config;
  }
  if (preset != Preset::kFa24) {
    config.objective.type = ObjectiveType::kFlow;
    config.time_fusion = TimeFusion::kMultiply;
    config.batch_size = 64;
    config.lr = 1e-2;
    config.epochs = 10;
  }
  if (preset == Preset::kQuick) {
    config.hidden = 16;
    config.epochs = 1;
    config.max_steps = 650;
    config.ema_decay = 0.98;
  }
  return config;
}

std::vector<int64_t> sample_epochs(Preset preset, int64_t epochs) {
  if (preset == Preset::kQuick) return {epochs};
  std::vector<int64_t> sampled{1, 5};
  if (preset == Preset::kSp25) sampled = {5};
  sampled.push_back(epochs);
  return sampled;
}

double learning_rate(const TrainConfig& config, int64_t step, int64_t steps_per_epoch) {
  const int64_t epochs_done = step / steps_per_epoch;
  const double epoch = static_cast<double>(epochs_done);
  const double decayed =
      config.lr * std::pow(config.lr_decay, epoch / static_cast<double>(config.epochs));
  if (step >= config.lr_warmup_steps) return decayed;
  return decayed * static_cast<double>(step + 1) / static_cast<double>(config.lr_warmup_steps);
}

Network make_network(const TrainConfig& config) {
  if (config.model == TrainModel::kClassifier) {
    const Json classifier{
        {"name", "mnist_classifier"}, {"hidden", config.hidden}, {"classes", config.classes}};
    return make_network(classifier.dump(), "train_mnist");
  }
  const char* conditioning = config.model == TrainModel::kDenoiser ? "none"
                             : config.model == TrainModel::kTime   ? "time"
                                                                   : "class";
  const Json json{{"name", "mnist_unet"},
                  {"conditioning", conditioning},
                  {"time_fusion", config.time_fusion == TimeFusion::kAdd ? "add" : "multiply"},
                  {"hidden", config.hidden},
                  {"classes", config.classes}};
  return make_network(json.dump(), "train_mnist");
}

std::string to_json(const TrainConfig& config) { return to_json_object(config).dump(); }

TrainConfig parse_config(const std::string& text) {
  constexpr double kHuge = std::numeric_limits<double>::max();
  const Json json = Json::parse(text);
  TrainConfig config;
  config.model = parse_model(json.at("model").get<std::string>());
  const Json& objective = json.at("objective");
  EBB_CHECK(std::none_of(objective.begin(), objective.end(),
                         [](const Json& value) { return value.is_structured(); }),
            FormatError, "the objective nests");
  config.objective = parse_objective(objective.dump(), "objective");
  const bool adds = json.at("time_fusion").get<std::string>() == "add";
  config.time_fusion = adds ? TimeFusion::kAdd : TimeFusion::kMultiply;
  config.hidden = stored_number<int64_t>(json, "hidden", 1, 1024);
  config.classes = stored_number<int64_t>(json, "classes", 2, 256, kDigits);
  config.batch_size = stored_number<int64_t>(json, "batch_size", 1, 60'000);
  config.micro_batch_size =
      stored_number<int64_t>(json, "micro_batch_size", 1, config.batch_size, 0);
  config.lr = stored_number<double>(json, "lr", 0, 10);
  config.lr_decay = stored_number<double>(json, "lr_decay", 1e-6, 1);
  config.lr_warmup_steps = stored_number<int64_t>(json, "lr_warmup_steps", 0, 1'000'000);
  config.epochs = stored_number<int64_t>(json, "epochs", 1, 100'000);
  config.class_dropout = stored_number<double>(json, "class_dropout", 0, 1);
  config.ema_decay = stored_number<double>(json, "ema_decay", 0, 1);
  config.clip_norm = stored_number<double>(json, "clip_norm", 0, kHuge);
  config.overfit_batch = json.at("overfit_batch").get<bool>();
  config.seed = json.at("seed").get<uint64_t>();
  config.precision = parse_precision(json.value("precision", std::string("f32")));
  config.max_shift = stored_number<double>(json, "max_shift", 0, 14, 0);
  config.max_rotation = stored_number<double>(json, "max_rotation", 0, 90, 0);
  return config;
}

std::string describe_difference(const std::string& json, const std::string& stored_json) {
  const Json mine = Json::parse(json);
  const Json stored = Json::parse(stored_json, nullptr, /*allow_exceptions=*/false);
  if (stored.is_object() && stored.contains("classes") && !mine.contains("classes")) {
    return cat("classes is ", kDigits, ", the run has ", stored["classes"].dump());
  }
  if (stored.is_object() && stored.contains("micro_batch_size") &&
      !mine.contains("micro_batch_size")) {
    return cat("micro_batch_size is ", mine["batch_size"].dump(), ", the run has ",
               stored["micro_batch_size"].dump());
  }
  for (const auto& [key, value] : mine.items()) {
    // Older runs lack keys that had no choice then.
    const Json absent = key == "precision" ? Json(to_string(Precision::kF32))
                        : key == "classes" ? Json(kDigits)
                        : key == "micro_batch_size" && stored.is_object()
                            ? stored.value("batch_size", Json())
                            : Json();
    Json other = stored.is_object() && stored.contains(key) ? stored[key] : absent;
    if (key == "model" && other == kFormerClassifier) other = to_string(TrainModel::kClassifier);
    if (other != value) return key + " is " + value.dump() + ", the run has " + other.dump();
  }
  return "";
}

std::string command_line(const TrainConfig& config, Preset preset) {
  const TrainConfig defaults = preset_config(config.model, preset);
  std::ostringstream out;
  out << "train_mnist --model " << to_string(config.model);
  if (preset != Preset::kFa24) out << " --preset " << to_string(preset);
  if (config.objective.type != defaults.objective.type && takes_time(config.objective)) {
    out << " --objective " << to_string(config.objective.type);
  }
  if (config.objective.type == ObjectiveType::kPureNoise) out << " --input noise";
  const auto flag = [&](const char* name, const auto& value, const auto& usual) {
    if (value != usual) out << ' ' << name << ' ' << Json(value).dump();
  };
  flag("--timesteps", config.objective.timesteps, defaults.objective.timesteps);
  flag("--sigma", config.objective.sigma, defaults.objective.sigma);
  flag("--hidden", config.hidden, defaults.hidden);
  flag("--classes", config.classes, defaults.classes);
  flag("--batch-size", config.batch_size, defaults.batch_size);
  flag("--micro-batch-size", config.micro_batch_size, defaults.micro_batch_size);
  flag("--lr", config.lr, defaults.lr);
  flag("--lr-decay", config.lr_decay, defaults.lr_decay);
  flag("--lr-warmup-steps", config.lr_warmup_steps, defaults.lr_warmup_steps);
  flag("--epochs", config.epochs, defaults.epochs);
  flag("--max-steps", config.max_steps, defaults.max_steps);
  flag("--class-dropout", config.class_dropout, defaults.class_dropout);
  flag("--ema-decay", config.ema_decay, defaults.ema_decay);
  flag("--clip-norm", config.clip_norm, defaults.clip_norm);
  flag("--max-shift", config.max_shift, defaults.max_shift);
  flag("--max-rotation", config.max_rotation, defaults.max_rotation);
  if (config.precision != defaults.precision) out << " --precision " << to_string(config.precision);
  if (config.overfit_batch) out << " --overfit-batch";
  out << " --seed " << config.seed;
  return out.str();
}

}  // namespace ebb
