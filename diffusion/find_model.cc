#include "diffusion/find_model.h"

#include <cstdlib>
#include <filesystem>
#include <sstream>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/text.h"

namespace ebb {
namespace {

namespace fs = std::filesystem;

constexpr const char* kEnding = ".safetensors";
constexpr const char* kPretrained = "weights/pretrained";

// Renamed models, by their former names: images record the name that they were made with.
constexpr std::pair<const char*, const char*> kRenamed[] = {{"mnist-judge", "mnist-classifier"}};

std::vector<fs::path> model_directories() {
  std::vector<fs::path> directories;
  if (const char* variable = std::getenv("EBB_MODELS")) {
    std::istringstream list(variable);
    for (std::string directory; std::getline(list, directory, ':');) {
      if (!directory.empty()) directories.emplace_back(directory);
    }
  }
  directories.emplace_back(kPretrained);
  std::error_code error;
  const fs::path program = fs::read_symlink("/proc/self/exe", error);
  if (!error)
    directories.push_back((program.parent_path() / "../.." / kPretrained).lexically_normal());
  return directories;
}

// The file of this name in one of the model directories; empty when there is none.
std::string find_by_name(const std::string& name) {
  for (const fs::path& directory : model_directories()) {
    const std::string path = (directory / (name + kEnding)).string();
    std::error_code error;
    if (fs::exists(path, error)) return path;
  }
  return "";
}

}  // namespace

std::string find_model(const std::string& name) {
  EBB_CHECK(!name.empty(), UsageError, "--model: is empty, expected a file or a model's name.");
  if (name.find('/') != std::string::npos || name.ends_with(kEnding)) return name;
  if (const std::string path = find_by_name(name); !path.empty()) return path;
  for (const auto& [former, current] : kRenamed) {
    const bool is_either = name == former || name == current;
    const std::string path = is_either ? find_by_name(name == former ? current : former) : "";
    if (!path.empty()) return path;
  }
  std::string places;
  for (const fs::path& directory : model_directories()) {
    places += (places.empty() ? "" : ", ") + path_label((directory / (name + kEnding)).string());
  }
  throw IoError(cat("--model ", terminal_safe(name), ": no such model, looked for ", places,
                    ". Give the path of a model file, or set EBB_MODELS to its directory."));
}

}  // namespace ebb
