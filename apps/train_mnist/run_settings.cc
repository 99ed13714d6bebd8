#include "apps/train_mnist/run_settings.h"

#include <filesystem>
#include <limits>
#include <vector>

#include "apps/training/run_directory.h"
#include "apps/training/stored_number.h"
#include "base/error.h"
#include "base/json.h"
#include "base/text.h"
#include "weights/mnist_dataset.h"
#include "weights/safetensors.h"

namespace ebb {
namespace {

std::string absolute(const std::string& path) {
  std::error_code error;
  const std::filesystem::path result = std::filesystem::absolute(path, error);
  return error ? path : result.lexically_normal().string();
}

// Older checkpoints have no such key, and no key that came later.
RunSettings parse_settings(const std::string& text, TrainConfig& config) {
  RunSettings settings;
  settings.preset = preset_of(config);
  if (text.empty()) return settings;
  const Json json = Json::parse(text);
  settings.preset = parse_preset(json.value("preset", std::string(to_string(settings.preset))));
  settings.data = json.value("data", settings.data);
  const auto number = [&json](const char* key, int64_t low, int64_t absent) {
    return stored_number(json, key, low, std::numeric_limits<int64_t>::max(), absent);
  };
  settings.save_every = number("save_every", 1, settings.save_every);
  settings.keep_last = number("keep_last", 1, settings.keep_last);
  settings.sample_every = number("sample_every", 0, settings.sample_every);
  settings.validation_images = number("validation_images", 0, settings.validation_images);
  settings.classifier = json.value("classifier", settings.classifier);
  config.max_steps = number("max_steps", 0, config.max_steps);
  // A run that was moved to another machine finds its data where that has them.
  // "emnist-letters" at its end may be the name of a part.
  const std::filesystem::path data = settings.data;
  std::error_code ignored;
  if (!std::filesystem::exists(data, ignored) &&
      !std::filesystem::exists(data.parent_path(), ignored)) {
    settings.data.clear();
  }
  return settings;
}

StoredRun read_stored_run(const std::string& path) {
  const SafetensorsFile file = SafetensorsFile::open(path);
  const auto text = [&](const char* key) {
    const auto found = file.metadata().find(key);
    return found == file.metadata().end() ? std::string() : found->second;
  };
  EBB_CHECK(text("ebb.kind") == "training checkpoint", FormatError, file.label(),
            ": not a training checkpoint of ebb. Give a checkpoint-*.safetensors of train_mnist");
  try {
    StoredRun run{.path = path, .config = parse_config(text("ebb.config")), .settings = {}};
    run.settings = parse_settings(text("ebb.run"), run.config);
    return run;
  } catch (const Json::exception& error) {
    throw FormatError(cat(file.label(), ": its settings are damaged: ", error.what(),
                          ". Use another checkpoint"));
  } catch (const Error& error) {
    throw FormatError(cat(file.label(), ": its settings are damaged: ", error.what(),
                          ". Use another checkpoint"));
  }
}

}  // namespace

std::string to_json(const RunSettings& settings, const TrainConfig& config) {
  Json json;
  json["preset"] = to_string(settings.preset);
  json["data"] = absolute(mnist_directory(settings.data));
  json["max_steps"] = config.max_steps;
  json["save_every"] = settings.save_every;
  json["keep_last"] = settings.keep_last;
  json["sample_every"] = settings.sample_every;
  json["validation_images"] = settings.validation_images;
  json["classifier"] = settings.classifier;
  return json.dump(-1, ' ', true, Json::error_handler_t::replace);
}

std::optional<StoredRun> find_stored_run(const std::string& resume, const std::string& output) {
  if (resume.empty()) return std::nullopt;
  if (resume != "auto") return read_stored_run(resume);
  const std::vector<CheckpointFile> checkpoints = checkpoints_in(output);
  for (const CheckpointFile& checkpoint : checkpoints) {
    try {
      return read_stored_run(checkpoint.path);
    } catch (const Error&) {
      // It is named when the run resumes.
    }
  }
  EBB_CHECK(checkpoints.empty(), FormatError, "--output ", path_label(output), ": none of its ",
            checkpoints.size(),
            " checkpoints can be read. Choose another --output to start afresh");
  return std::nullopt;
}

}  // namespace ebb
