#include "weights/diffusers_directory.h"

#include <algorithm>
#include <array>
#include <filesystem>

#include "base/error.h"
#include "base/text.h"
#include "weights/hub_cache.h"
#include "weights/json_file.h"

namespace ebb {
namespace {

namespace fs = std::filesystem;

constexpr const char* kModelIndex = "model_index.json";
constexpr const char* kConfig = "config.json";
constexpr const char* kSchedulerConfig = "scheduler_config.json";

bool has_file(const fs::path& path) {
  std::error_code error;
  return fs::is_regular_file(path, error);
}

bool has_directory(const fs::path& path) {
  std::error_code error;
  return fs::is_directory(path, error);
}

bool is_scheduler(std::string_view name) { return name.ends_with("scheduler"); }

// Names of a component's config.
std::vector<std::string> config_names(std::string_view name) {
  if (is_scheduler(name)) return {kSchedulerConfig};
  if (name == "tokenizer") return {"tokenizer_config.json"};
  if (name == "feature_extractor") return {"preprocessor_config.json"};
  return {kConfig};
}

std::string text_of(const Json& json, const char* key) {
  const Json* value = json.find(key);
  return value != nullptr && value->is_string() ? value->get<std::string>() : "";
}

// diffusers writes _class_name, transformers a list of architectures.
std::string class_in(const fs::path& config) {
  const Json json = read_json_file(config.string());
  if (std::string name = text_of(json, "_class_name"); !name.empty()) return name;
  const Json* architectures = json.find("architectures");
  const bool has_one = architectures != nullptr && architectures->is_array() &&
                       !architectures->empty() && (*architectures)[0].is_string();
  return has_one ? (*architectures)[0].get<std::string>() : "";
}

// Looks for the component's files in a directory of its own, else beside model_index.json.
void locate(const fs::path& root, DiffusersComponent& component) {
  const fs::path own = root / component.name;
  const bool has_own = has_directory(own);
  for (const std::string& config : config_names(component.name)) {
    const fs::path path = (has_own ? own : root) / config;
    if (!has_file(path)) continue;
    // Side by side, one config.json serves one component only.
    const std::string found = component.library == "diffusers" ? class_in(path) : "";
    if (!has_own && !found.empty() && !component.class_name.empty() &&
        found != component.class_name) {
      continue;
    }
    component.config_path = path.string();
    if (!found.empty()) component.class_name = found;
  }
  const bool flat = !has_own && !component.config_path.empty() && component.library == "diffusers";
  if (has_own || flat) component.directory = (has_own ? own : root).string();
  if (!component.is_present()) component.config_path.clear();
}

// "unet": ["diffusers", "UNet2DModel"]; [null, null] for a component that is left out.
void read_model_index(DiffusersDirectory& model) {
  const fs::path root = model.path;
  const Json json = read_json_file((root / kModelIndex).string());
  model.pipeline_class = text_of(json, "_class_name");
  for (const auto& [name, value] : json.items()) {
    const bool is_component = value.is_array() && value.size() == 2 && value[0].is_string() &&
                              value[1].is_string() && !name.starts_with('_');
    if (!is_component) continue;
    const bool is_plain = name.find('/') == std::string::npos && name != "." && name != ".." &&
                          name.find('\0') == std::string::npos && !name.empty();
    EBB_CHECK(is_plain, FormatError, path_label((root / kModelIndex).string()), ": component ",
              quoted(name), " is no name of a directory. Fetch the file again.");
    DiffusersComponent component{.name = name,
                                 .library = value[0].get<std::string>(),
                                 .class_name = value[1].get<std::string>()};
    locate(root, component);
    model.components.push_back(std::move(component));
  }
}

// A component by itself, with the scheduler that lies beside it.
void read_component(DiffusersDirectory& model) {
  const fs::path root = model.path;
  const fs::path config = root / kConfig;
  DiffusersComponent component{.directory = root.string(), .config_path = config.string()};
  component.class_name = class_in(config);
  component.name = component.class_name.starts_with("UNet") ? "unet"
                   : component.class_name.starts_with("T5") ? "text_encoder"
                                                            : "model";
  model.components.push_back(std::move(component));
  const fs::path parent = fs::absolute(root).lexically_normal() / "..";
  for (const fs::path& place : {root, parent.lexically_normal() / "scheduler",
                                parent.lexically_normal() / "super_res_scheduler"}) {
    if (!has_file(place / kSchedulerConfig)) continue;
    const std::string path = (place / kSchedulerConfig).string();
    model.components.push_back({.name = "scheduler",
                                .class_name = class_in(path),
                                .directory = place.string(),
                                .config_path = path});
    return;
  }
}

}  // namespace

const DiffusersComponent* DiffusersDirectory::find(std::string_view name) const {
  const auto found =
      std::find_if(components.begin(), components.end(),
                   [&](const DiffusersComponent& component) { return component.name == name; });
  return found == components.end() ? nullptr : &*found;
}

const DiffusersComponent& DiffusersDirectory::require(std::string_view name) const {
  const std::string config = config_names(name)[0];
  const DiffusersComponent* found = find(name);
  EBB_CHECK(found != nullptr, FormatError, path_label(path), ": has no ", terminal_safe(name), ", ",
            pipeline_class.empty() ? "expected a directory of diffusers with one"
                                   : terminal_safe(pipeline_class) + " has none",
            ". Name another directory.");
  EBB_CHECK(found->is_present() && !found->config_path.empty(), FormatError, path_label(path), ": ",
            terminal_safe(name), " (", terminal_safe(found->class_name),
            ") is missing, looked for ", path_label(std::string(name) + "/" + config), " and ",
            config, ". Download these files as well.");
  return *found;
}

bool is_diffusers_directory(const std::string& path) {
  return has_file(fs::path(path) / kModelIndex) || has_file(fs::path(path) / kConfig) ||
         is_hub_repository(path);
}

DiffusersDirectory read_diffusers_directory(const std::string& path) {
  DiffusersDirectory model;
  model.path = is_hub_repository(path) ? hub_snapshot(path, "main") : path;
  if (has_file(fs::path(model.path) / kModelIndex)) {
    read_model_index(model);
  } else if (has_file(fs::path(model.path) / kConfig)) {
    read_component(model);
  } else {
    EBB_CHECK(has_directory(model.path), IoError, path_label(model.path),
              ": no such directory. Check the path.");
    throw FormatError(cat(path_label(model.path), ": no ", kModelIndex, " and no ", kConfig,
                          ", expected a model as diffusers saves it. Name the directory that holds "
                          "one, or download the missing file."));
  }
  return model;
}

}  // namespace ebb
