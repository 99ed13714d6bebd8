#include "apps/train_mnist/train_config.h"

#include <cmath>
#include <sstream>

#include "base/json.h"

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

// The preset whose defaults a config started from, as far as the config shows.
Preset preset_of(const TrainConfig& config) {
  return config.objective.type == ObjectiveType::kFlow ? Preset::kFa25 : Preset::kFa24;
}

}  // namespace

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
    return config;
  }
  if (model == TrainModel::kClassifier) {
    config.objective.type = ObjectiveType::kClassify;
    config.hidden = 16;
    config.lr = 2e-3;
    config.lr_decay = 0.01;
    config.epochs = 8;
    config.ema_decay = 0.99;
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
  return config;
}

std::vector<int64_t> sample_epochs(Preset preset, int64_t epochs) {
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

std::string describe_difference(const std::string& json, const std::string& stored_json) {
  const Json mine = Json::parse(json);
  const Json stored = Json::parse(stored_json, nullptr, /*allow_exceptions=*/false);
  if (stored.is_object() && stored.contains("classes") && !mine.contains("classes")) {
    return cat("classes is ", kDigits, ", the run has ", stored["classes"].dump());
  }
  for (const auto& [key, value] : mine.items()) {
    // Older runs lack keys that had no choice then.
    const Json absent = key == "precision" ? Json(to_string(Precision::kF32))
                        : key == "classes" ? Json(kDigits)
                                           : Json();
    Json other = stored.is_object() && stored.contains(key) ? stored[key] : absent;
    if (key == "model" && other == kFormerClassifier) other = to_string(TrainModel::kClassifier);
    if (other != value) return key + " is " + value.dump() + ", the run has " + other.dump();
  }
  return "";
}

std::string command_line(const TrainConfig& config) {
  const Preset preset = preset_of(config);
  const TrainConfig defaults = preset_config(config.model, preset);
  std::ostringstream out;
  out << "train_mnist --model " << to_string(config.model);
  if (preset != Preset::kFa24) out << " --preset fa25";
  if (config.objective.type == ObjectiveType::kPureNoise) out << " --input noise";
  const auto flag = [&](const char* name, const auto& value, const auto& usual) {
    if (value != usual) out << ' ' << name << ' ' << Json(value).dump();
  };
  flag("--timesteps", config.objective.timesteps, defaults.objective.timesteps);
  flag("--sigma", config.objective.sigma, defaults.objective.sigma);
  flag("--hidden", config.hidden, defaults.hidden);
  flag("--classes", config.classes, defaults.classes);
  flag("--batch-size", config.batch_size, defaults.batch_size);
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
