#include "diffusion/find_model.h"

#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <sstream>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "base/errno_advice.h"
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

std::string model_of_run(const std::string& directory) {
  const fs::path final_model = fs::path(directory) / (std::string("model") + kEnding);
  std::error_code error;
  if (fs::exists(final_model, error)) return final_model.string();
  std::string newest;
  int64_t newest_step = -1;
  for (fs::directory_iterator it(directory, error), end; !error && it != end; it.increment(error)) {
    const int64_t step = step_of(it->path().filename().string());
    if (step > newest_step) std::tie(newest_step, newest) = std::pair(step, it->path().string());
  }
  EBB_CHECK(!error, IoError, "--model ", path_label(directory),
            ": cannot be read: ", describe_errno(error.value()));
  EBB_CHECK(newest_step >= 0, IoError, "--model ", path_label(directory),
            ": is a directory without model.safetensors or a checkpoint of train_mnist. Name a "
            "model file or the directory of a run.");
  return newest;
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
  if (name.find('/') != std::string::npos || name.ends_with(kEnding) || name == "." ||
      name == "..") {
    return is_directory(name) ? model_of_run(name) : name;
  }
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
  if (is_directory(name)) return model_of_run(name);
  throw IoError(cat("--model ", terminal_safe(name), ": no such model, looked for ", places,
                    ". Give the path of a model file, or set EBB_MODELS to its directory."));
}

}  // namespace ebb
