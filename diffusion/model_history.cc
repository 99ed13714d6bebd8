#include "diffusion/model_history.h"

#include "base/error.h"
#include "base/json.h"
#include "base/text.h"
#include "diffusion/objective.h"
#include "weights/safetensors.h"

namespace ebb {
namespace {

std::string text_of(const SafetensorsFile& file, const char* key) {
  const auto found = file.metadata().find(key);
  return found == file.metadata().end() ? "" : found->second;
}

Json object_of(const SafetensorsFile& file, const char* key) {
  const std::string text = text_of(file, key);
  if (text.empty()) return Json::object();
  Json value = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  EBB_CHECK(value.is_object(), FormatError, file.label(), ": \"", key,
            "\" in its metadata is not a JSON object. Save the model again.");
  return value;
}

}  // namespace

ModelHistory read_model_history(const std::string& path) {
  const SafetensorsFile file = SafetensorsFile::open(path);
  ModelHistory history;
  history.path = path;
  history.config = text_of(file, "ebb.model");
  history.command = text_of(file, "ebb.command");
  history.note = text_of(file, "ebb.note");
  try {
    const Json network = object_of(file, "ebb.model");
    history.network = network.value("conditioning", "none");
    history.hidden = network.value("hidden", int64_t{0});
    const Json training = object_of(file, "ebb.training");
    history.steps = training.value("steps", int64_t{0});
    history.epoch_losses = training.value("epoch_losses", std::vector<double>());
    const Json curve = training.value("loss_curve", Json::object());
    history.steps_per_point = curve.value("steps_per_point", int64_t{0});
    history.losses = curve.value("loss", std::vector<double>());
  } catch (const Json::exception& error) {
    throw FormatError(cat(file.label(), ": the training in its metadata is not as expected: ",
                          terminal_safe(error.what()), ". Save the model again."));
  }
  const std::string objective = text_of(file, "ebb.objective");
  if (!objective.empty()) {
    history.objective = to_string(parse_objective(objective, file.label()).type);
  }
  return history;
}

}  // namespace ebb
