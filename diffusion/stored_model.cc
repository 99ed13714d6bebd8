#include "diffusion/stored_model.h"

#include <algorithm>
#include <array>

#include "base/error.h"
#include "base/json.h"
#include "base/text.h"

namespace ebb {
namespace {

using std::literals::string_view_literals::operator""sv;

constexpr std::array kWrappers = {"module."sv, "_orig_mod."sv};
constexpr std::string_view kAverage = "ema.";
constexpr std::array kOptimizerState = {"adam_m."sv, "adam_v."sv};

// Counters of BatchNorm and of AveragedModel; nothing computes with them.
bool is_counter(std::string_view name) {
  return name.ends_with("num_batches_tracked") || name == "n_averaged";
}

bool all_start_with(const std::vector<std::string>& names, std::string_view prefix) {
  bool any = false;
  for (const std::string& name : names) {
    if (is_counter(name)) continue;
    if (!std::string_view(name).starts_with(prefix)) return false;
    any = true;
  }
  return any;
}

// "module._orig_mod.": wrappers may be wrapped.
std::string common_prefix(const std::vector<std::string>& names) {
  std::string prefix;
  for (bool found = true; found;) {
    found = false;
    for (const std::string_view wrapper : kWrappers) {
      if (!all_start_with(names, prefix + std::string(wrapper))) continue;
      prefix += wrapper;
      found = true;
    }
  }
  return prefix;
}

bool is_checkpoint(const std::map<std::string, std::string>& metadata) {
  const auto kind = metadata.find("ebb.kind");
  return kind != metadata.end() && kind->second == "training checkpoint";
}

// Printing goes by recursion, and a damaged file may nest deeper than the stack.
bool is_flat(const Json& json) {
  return json.is_object() && std::none_of(json.begin(), json.end(),
                                          [](const Json& value) { return value.is_structured(); });
}

// Metadata of the final model, as far as the checkpoint has it.
std::map<std::string, std::string> model_metadata(
    const std::map<std::string, std::string>& checkpoint, const std::string& label) {
  const auto value = [&](const char* key) {
    const auto found = checkpoint.find(key);
    EBB_CHECK(found != checkpoint.end(), FormatError, label,
              ": is a training checkpoint without \"", key,
              "\" in its metadata. It is damaged; use another one.");
    return found->second;
  };
  const Json config = Json::parse(value("ebb.config"), nullptr, /*allow_exceptions=*/false);
  const Json progress = Json::parse(value("ebb.progress"), nullptr, /*allow_exceptions=*/false);
  const bool sound = config.is_object() && config.contains("objective") &&
                     is_flat(config["objective"]) && progress.is_object() &&
                     progress.contains("step") && progress["step"].is_number_integer();
  EBB_CHECK(sound, FormatError, label,
            ": is a training checkpoint whose config or progress cannot be read. It is damaged; "
            "use another one.");
  const auto step = progress["step"].get<int64_t>();
  std::map<std::string, std::string> model = {{"format", "pt"},
                                              {"ebb.format", value("ebb.format")},
                                              {"ebb.model", value("ebb.model")},
                                              {"ebb.objective", config["objective"].dump()},
                                              {"ebb.training", Json{{"steps", step}}.dump()},
                                              {"ebb.note", cat("checkpoint of step ", step)}};
  // Older checkpoints have none.
  if (checkpoint.contains("ebb.command")) model["ebb.command"] = checkpoint.at("ebb.command");
  return model;
}

std::optional<std::string> parameter_of_checkpoint(std::string_view stored, bool averaged) {
  for (const std::string_view state : kOptimizerState) {
    if (stored.starts_with(state)) return std::nullopt;
  }
  if (averaged != stored.starts_with(kAverage)) return std::nullopt;
  return std::string(stored.substr(averaged ? kAverage.size() : 0));
}

}  // namespace

StoredModel stored_model(const std::map<std::string, std::string>& metadata,
                         const std::vector<std::string>& tensors, const std::string& label) {
  if (is_checkpoint(metadata)) {
    const bool averaged = std::any_of(tensors.begin(), tensors.end(), [](const std::string& name) {
      return name.starts_with(kAverage);
    });
    return {.metadata = model_metadata(metadata, label),
            .parameter = [averaged](std::string_view stored) {
              return parameter_of_checkpoint(stored, averaged);
            }};
  }
  const size_t prefix = common_prefix(tensors).size();
  return {.metadata = metadata,
          .parameter = [prefix](std::string_view stored) -> std::optional<std::string> {
            if (is_counter(stored)) return std::nullopt;
            return std::string(stored.substr(prefix));
          }};
}

}  // namespace ebb
