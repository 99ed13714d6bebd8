#include "diffusion/model_history.h"

#include <limits>
#include <map>

#include "base/error.h"
#include "base/json.h"
#include "base/text.h"
#include "diffusion/objective.h"
#include "diffusion/stored_model.h"
#include "weights/safetensors.h"

namespace ebb {
namespace {

using Metadata = std::map<std::string, std::string>;

std::string text_of(const Metadata& metadata, const char* key) {
  const auto found = metadata.find(key);
  return found == metadata.end() ? "" : found->second;
}

Json object_of(const Metadata& metadata, const char* key, const std::string& label) {
  const std::string text = text_of(metadata, key);
  if (text.empty()) return Json::object();
  Json value = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  EBB_CHECK(value.is_object(), FormatError, label, ": \"", key,
            "\" in its metadata is not a JSON object. Save the model again.");
  return value;
}

// Losses; JSON has no NaN: null stands for it.
std::vector<double> losses_of(const Json& json, const char* key) {
  std::vector<double> losses;
  const Json* found = json.find(key);
  if (found == nullptr) return losses;
  if (!found->is_array()) return found->get<std::vector<double>>();  // says what it is
  for (const Json& loss : *found) {
    losses.push_back(loss.is_null() ? std::numeric_limits<double>::quiet_NaN()
                                    : loss.get<double>());
  }
  return losses;
}

}  // namespace

ModelHistory read_model_history(const std::string& path) {
  const SafetensorsFile file = SafetensorsFile::open(path);
  const Metadata metadata = stored_model(file.metadata(), {}, file.label()).metadata;
  ModelHistory history;
  history.path = path;
  history.config = text_of(metadata, "ebb.model");
  history.command = text_of(metadata, "ebb.command");
  history.note = text_of(metadata, "ebb.note");
  try {
    const Json network = object_of(metadata, "ebb.model", file.label());
    history.network = network.value("conditioning", "none");
    history.hidden = network.value("hidden", int64_t{0});
    const Json training = object_of(metadata, "ebb.training", file.label());
    history.steps = training.value("steps", int64_t{0});
    history.epoch_losses = losses_of(training, "epoch_losses");
    history.steps_per_epoch = training.value("steps_per_epoch", int64_t{0});
    history.validation_losses = losses_of(training, "validation_losses");
    const Json curve = training.value("loss_curve", Json::object());
    history.steps_per_point = curve.value("steps_per_point", int64_t{0});
    history.losses = losses_of(curve, "loss");
  } catch (const Json::exception& error) {
    throw FormatError(cat(file.label(), ": the training in its metadata is not as expected: ",
                          terminal_safe(error.what()), ". Save the model again."));
  }
  const std::string objective = text_of(metadata, "ebb.objective");
  if (!objective.empty()) {
    history.objective = to_string(parse_objective(objective, file.label()).type);
  }
  return history;
}

}  // namespace ebb
