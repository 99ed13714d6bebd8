#include "diffusion/find_model.h"

#include <dlfcn.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <optional>
#include <sstream>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "base/closest_name.h"
#include "base/errno_advice.h"
#include "base/error.h"
#include "base/text.h"
#include "diffusion/train_log.h"
#include "weights/diffusers_directory.h"
#include "weights/hub_cache.h"

namespace ebb {
namespace {

namespace fs = std::filesystem;

constexpr const char* kEnding = ".safetensors";
constexpr const char* kPretrained = "weights/pretrained";

// Renamed models, by their former names: images record the name that they were made with.
constexpr std::pair<const char*, const char*> kRenamed[] = {{"mnist-judge", "mnist-classifier"}};

// The file that this code was loaded from: libebb.so, or the program that it is linked into. Empty
// when that cannot be told.
fs::path shared_library() {
  Dl_info info{};
  if (::dladdr(reinterpret_cast<const void*>(&shared_library), &info) == 0) return {};
  std::error_code error;
  return fs::canonical(info.dli_fname, error);  // of a program that is what its caller named it
}

std::vector<fs::path> model_directories() {
  std::vector<fs::path> directories;
  if (const char* variable = std::getenv("EBB_MODELS")) {
    std::istringstream list(variable);
    for (std::string directory; std::getline(list, directory, ':');) {
      if (!directory.empty()) directories.emplace_back(directory);
    }
  }
  const auto add = [&directories](const fs::path& directory) {
    const fs::path plain = directory.lexically_normal();
    if (std::find(directories.begin(), directories.end(), plain) == directories.end()) {
      directories.push_back(plain);
    }
  };
  add(kPretrained);
  std::error_code error;
  const fs::path program = fs::read_symlink("/proc/self/exe", error);
  if (!error) add(program.parent_path() / EBB_MODELS_FROM_BIN);
  if (const fs::path library = shared_library(); !library.empty() && library != program) {
    add(library.parent_path() / EBB_MODELS_FROM_LIB);
  }
  if (!error) add(program.parent_path() / "../.." / kPretrained);
  return directories;
}

constexpr const char* kCheckpoint = "checkpoint-";

// The number of "checkpoint-00000300.safetensors"; -1 for other names.
int64_t step_of(const std::string& name) {
  if (!name.starts_with(kCheckpoint) || !name.ends_with(kEnding)) return -1;
  const char* first = name.data() + std::string_view(kCheckpoint).size();
  const char* last = name.data() + name.size() - std::string_view(kEnding).size();
  int64_t step = -1;
  const auto [end, error] = std::from_chars(first, last, step);
  return error == std::errc() && end == last ? step : -1;
}

bool is_directory(const std::string& path) {
  std::error_code error;
  return fs::is_directory(path, error);
}

// The final model of a run, else its newest checkpoint; empty when there is neither.
std::string find_in_run(const std::string& directory, std::error_code& error) {
  const fs::path final_model = fs::path(directory) / (std::string("model") + kEnding);
  if (fs::exists(final_model, error)) return final_model.string();
  std::string newest;
  int64_t newest_step = -1;
  for (fs::directory_iterator it(directory, error), end; !error && it != end; it.increment(error)) {
    const int64_t step = step_of(it->path().filename().string());
    if (step > newest_step) std::tie(newest_step, newest) = std::pair(step, it->path().string());
  }
  return newest;
}

std::string model_of_run(const std::string& directory) {
  std::error_code error;
  std::string newest = find_in_run(directory, error);
  EBB_CHECK(!error, IoError, "--model ", path_label(directory),
            ": cannot be read: ", describe_errno(error.value()));
  EBB_CHECK(!newest.empty(), IoError, "--model ", path_label(directory),
            ": is a directory without model.safetensors or a checkpoint of train_mnist. Name a "
            "model file or the directory of a run.");
  return newest;
}

std::string model_in_directory(const std::string& path) {
  return is_diffusers_directory(path) ? path : model_of_run(path);
}

// The snapshot that "owner/name[@revision]" means, where there is no such file; else the path.
std::string name_in_hub_cache(const std::string& path) {
  std::error_code error;
  if (fs::exists(path, error) || path.ends_with(kEnding)) return path;
  const std::optional<HubName> name = parse_hub_name(path);
  return name ? find_in_hub_cache(*name) : path;
}

// The file of one of these names, the first name first, in the first model directory that has one;
// empty when there is none.
std::string find_by_name(const std::vector<std::string>& names) {
  for (const fs::path& directory : model_directories()) {
    for (const std::string& name : names) {
      const std::string path = (directory / (name + kEnding)).string();
      std::error_code error;
      if (fs::exists(path, error)) return path;
    }
  }
  return "";
}

// The name, and what else the model is or was called.
std::vector<std::string> names_of(const std::string& name) {
  std::vector<std::string> names = {name};
  for (const auto& [former, current] : kRenamed) {
    if (name == former) names.emplace_back(current);
    if (name == current) names.emplace_back(former);
  }
  return names;
}

}  // namespace

std::string find_model(const std::string& name) {
  EBB_CHECK(!name.empty(), UsageError, "--model: is empty, expected a file or a model's name.");
  if (name.find('/') != std::string::npos || name.ends_with(kEnding) || name == "." ||
      name == "..") {
    return is_directory(name) ? model_in_directory(name) : name_in_hub_cache(name);
  }
  if (const std::string path = find_by_name(names_of(name)); !path.empty()) return path;
  std::string places;
  for (const fs::path& directory : model_directories()) {
    places += (places.empty() ? "" : ", ") + path_label((directory / (name + kEnding)).string());
  }
  if (is_directory(name)) return model_in_directory(name);
  if (std::error_code error; fs::exists(name, error)) return name;
  std::vector<std::string> names;
  for (const NamedModel& model : named_models()) names.push_back(model.name);
  throw IoError(cat("--model ", terminal_safe(name), ": no such model, looked for ", places, ".",
                    did_you_mean(name, names),
                    " Give the path of a model file, or set EBB_MODELS to its directory."));
}

std::string model_places() {
  std::string places;
  for (const fs::path& directory : model_directories()) {
    places += (places.empty() ? "" : ", ") + path_label(directory.string());
  }
  return places;
}

bool is_run_directory(const std::string& path) {
  std::error_code error;
  return fs::exists(fs::path(path) / kTrainLogName, error) && !find_in_run(path, error).empty();
}

std::vector<NamedModel> named_models() {
  std::map<std::string, std::string> paths;  // by name
  for (const fs::path& directory : model_directories()) {
    std::error_code error;
    for (fs::directory_iterator it(directory, error), end; !error && it != end;
         it.increment(error)) {
      const fs::path& path = it->path();
      if (path.extension() == kEnding) paths.emplace(path.stem().string(), path.string());
    }
  }
  std::vector<NamedModel> models;
  for (const auto& [name, path] : paths) models.push_back({name, path});
  return models;
}

}  // namespace ebb
