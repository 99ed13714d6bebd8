#include "apps/train_text_to_image/text_to_image_config.h"

#include <cmath>
#include <numbers>

#include "apps/train_text_to_image/text_to_image_network.h"
#include "apps/training/stored_number.h"
#include "base/json.h"

namespace ebb {
namespace {

constexpr int64_t kManySteps = int64_t{1} << 40;

}  // namespace

std::string to_json(const TextToImageConfig& config) {
  const Augmentation& changes = config.augmentation;
  return Json{{"stage", config.stage},
              {"size", config.size},
              {"batch_size", config.batch_size},
              {"steps", config.steps},
              {"lr", config.lr},
              {"lr_warmup_steps", config.lr_warmup_steps},
              {"lr_final", config.lr_final},
              {"weight_decay", config.weight_decay},
              {"ema_decay", config.ema_decay},
              {"clip_norm", config.clip_norm},
              {"caption_dropout", config.caption_dropout},
              {"vlb_weight", config.vlb_weight},
              {"max_shift", changes.max_shift},
              {"max_scale", changes.max_scale},
              {"max_rotation", changes.max_rotation},
              {"backgrounds", changes.backgrounds},
              {"seed", config.seed},
              {"precision", to_string(config.precision)}}
      .dump();
}

TextToImageConfig parse_text_to_image_config(const std::string& text, const std::string& where) {
  TextToImageConfig config;
  try {
    const Json json = Json::parse(text);
    config.stage = stored_number<int64_t>(json, "stage", 1, 2);
    config.size = unet_size(json.at("size").get<std::string>()).name;
    config.batch_size = stored_number<int64_t>(json, "batch_size", 1, 65536);
    config.steps = stored_number<int64_t>(json, "steps", 1, kManySteps);
    config.lr = stored_number(json, "lr", 0.0, 10.0);
    config.lr_warmup_steps = stored_number<int64_t>(json, "lr_warmup_steps", 0, 1000000);
    config.lr_final = stored_number(json, "lr_final", 0.0, 1.0);
    config.weight_decay = stored_number(json, "weight_decay", 0.0, 10.0);
    config.ema_decay = stored_number(json, "ema_decay", 0.0, 0.999999);
    config.clip_norm = stored_number(json, "clip_norm", 0.0, 1e30);
    config.caption_dropout = stored_number(json, "caption_dropout", 0.0, 1.0);
    config.vlb_weight = stored_number(json, "vlb_weight", 0.0, 1000.0);
    config.augmentation = {.max_shift = stored_number(json, "max_shift", 0.0, 0.5),
                           .max_scale = stored_number(json, "max_scale", 0.0, 1.0),
                           .max_rotation = stored_number(json, "max_rotation", 0.0, 180.0),
                           .backgrounds = json.at("backgrounds").get<bool>()};
    config.seed = json.at("seed").get<uint64_t>();
    config.precision = parse_precision(json.at("precision").get<std::string>());
  } catch (const Json::exception& error) {
    throw FormatError(
        cat(where, ": its settings are damaged: ", error.what(), ". Use another checkpoint"));
  } catch (const Error& error) {
    throw FormatError(
        cat(where, ": its settings are damaged: ", error.what(), ". Use another checkpoint"));
  }
  return config;
}

std::string describe_config_difference(const std::string& json, const std::string& stored) {
  const Json mine = Json::parse(json);
  const Json other = Json::parse(stored, nullptr, /*allow_exceptions=*/false);
  for (const auto& [key, value] : mine.items()) {
    const Json there = other.is_object() && other.contains(key) ? other[key] : Json();
    if (there != value) return cat(key, " is ", value.dump(), ", the run has ", there.dump());
  }
  return "";
}

double learning_rate(const TextToImageConfig& config, int64_t step) {
  const auto done = static_cast<double>(step + 1);
  const auto warmup = static_cast<double>(config.lr_warmup_steps);
  const auto steps = static_cast<double>(config.steps);
  if (done <= warmup) return config.lr * done / warmup;
  const double share = steps <= warmup ? 1 : (done - warmup) / (steps - warmup);
  const double cosine = (1 + std::cos(std::numbers::pi * std::min(share, 1.0))) / 2;
  return config.lr * (config.lr_final + (1 - config.lr_final) * cosine);
}

}  // namespace ebb
