#include "weights/mnist_files.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <set>
#include <vector>

#include "base/errno_advice.h"
#include "base/error.h"
#include "base/text.h"

namespace ebb {
namespace {

namespace fs = std::filesystem;

constexpr std::array kFilesOfSet = {std::pair{true, true}, std::pair{true, false},
                                    std::pair{false, true}, std::pair{false, false}};
constexpr const char* kEmnist = "emnist-";

bool is_file(const fs::path& path) {
  std::error_code error;
  return fs::is_regular_file(path, error);
}

bool is_a_directory(const fs::path& path) {
  std::error_code error;
  return fs::is_directory(path, error);
}

// The ways in which archive programs write "train-images-idx3-ubyte".
std::vector<std::string> spellings(const std::string& name) {
  std::string dotted = name;
  dotted[name.rfind("-idx")] = '.';
  return {name + ".gz", name, dotted + ".gz", dotted};
}

std::vector<fs::path> subdirectories(const fs::path& directory) {
  std::vector<fs::path> found;
  std::error_code error;
  for (fs::directory_iterator it(directory, error), end; !error && it != end; it.increment(error)) {
    if (is_a_directory(it->path())) found.push_back(it->path());
  }
  std::sort(found.begin(), found.end());
  return found;
}

// "emnist-letters" of "emnist-letters-train-images-idx3-ubyte.gz"; empty for other names.
std::string part_of(const std::string& name) {
  if (!name.starts_with(kEmnist)) return "";
  for (const char* split : {"-train-images", "-test-images", "-train-labels", "-test-labels"}) {
    const size_t end = name.find(split);
    if (end != std::string::npos) return name.substr(0, end);
  }
  return "";
}

// The data sets whose files lie in this directory.
std::vector<MnistFiles> sets_in(const fs::path& directory) {
  std::vector<MnistFiles> sets;
  const auto add_if_there = [&](const std::string& part) {
    const MnistFiles files{directory.string(), part};
    const bool any = std::any_of(kFilesOfSet.begin(), kFilesOfSet.end(), [&](const auto& file) {
      return !files.path(file.first, file.second).empty();
    });
    if (any) sets.push_back(files);
  };
  add_if_there("");
  std::set<std::string> parts;
  std::error_code error;
  for (fs::directory_iterator it(directory, error), end; !error && it != end; it.increment(error)) {
    const std::string part = part_of(it->path().filename().string());
    if (!part.empty()) parts.insert(part);
  }
  for (const std::string& part : parts) add_if_there(part);
  return sets;
}

std::vector<MnistFiles> sets_in_any(const std::vector<fs::path>& directories) {
  std::vector<MnistFiles> sets;
  for (const fs::path& directory : directories) {
    const std::vector<MnistFiles> here = sets_in(directory);
    sets.insert(sets.end(), here.begin(), here.end());
  }
  return sets;
}

// Directories searched for data sets, the nearest first: a set in an earlier group hides later
// ones.
std::vector<std::vector<fs::path>> places(const fs::path& root) {
  const auto below = [](const fs::path& directory) {
    return std::vector{directory, directory / "raw", directory / "gzip",
                       directory / "raw" / "gzip"};
  };
  std::vector<std::vector<fs::path>> groups{{root}};
  for (const fs::path& place : below(root)) {
    if (place != root) groups.push_back({place});
  }
  for (const fs::path& place : below(root / "MNIST")) groups.push_back({place});
  std::vector<fs::path> others;
  for (const fs::path& directory : subdirectories(root)) {
    const std::vector<fs::path> nested = below(directory);
    others.insert(others.end(), nested.begin(), nested.end());
  }
  groups.push_back(others);
  return groups;
}

std::string list_of(const std::vector<MnistFiles>& sets) {
  std::string list;
  for (const MnistFiles& files : sets) {
    const fs::path path =
        files.part.empty() ? fs::path(files.directory) : fs::path(files.directory) / files.part;
    list += (list.empty() ? "" : ", ") + path_label(path.string());
  }
  return list;
}

[[noreturn]] void fail_to_find(const std::string& data) {
  std::error_code error;
  const fs::file_status status = fs::status(data, error);
  const std::string flag = "--data " + path_label(data);
  const std::string advice =
      cat(" Run scripts/get_mnist ", path_label(data),
          " or point --data (or EBB_DATA) at the directory of the four MNIST files.");
  EBB_CHECK(status.type() != fs::file_type::not_found, IoError, flag, ": no such directory.",
            advice);
  EBB_CHECK(!error, IoError, flag, ": cannot be read: ", describe_errno(error.value()));
  EBB_CHECK(fs::is_directory(status), IoError, flag,
            ": is a file, expected the directory of the four MNIST files. Name the directory.");
  const fs::directory_iterator readable(data, error);
  EBB_CHECK(!error, IoError, flag, ": cannot be read: ", describe_errno(error.value()));
  throw IoError(
      cat(flag, ": found neither train-images-idx3-ubyte.gz nor another file of MNIST.", advice));
}

}  // namespace

std::string MnistFiles::name(bool train, bool images) const {
  const std::string prefix = part.empty() ? "" : part + "-";
  const char* split = train ? "train" : part.empty() ? "t10k" : "test";
  return prefix + split + (images ? "-images-idx3-ubyte" : "-labels-idx1-ubyte");
}

std::string MnistFiles::path(bool train, bool images) const {
  const std::vector<std::string> names = spellings(name(train, images));
  for (const std::string& file : names) {
    if (is_file(fs::path(directory) / file)) return (fs::path(directory) / file).string();
  }
  // A directory of the file's name that holds it.
  for (const std::string& outer : names) {
    for (const std::string& file : names) {
      const fs::path nested = fs::path(directory) / outer / file;
      if (is_file(nested)) return nested.string();
    }
  }
  return "";
}

MnistFiles find_mnist_files(const std::string& data) {
  if (!is_a_directory(data)) {
    // "data/emnist-letters": a part of what lies in data/.
    const fs::path path(data);
    const std::string part = path.filename().string();
    if (!part.starts_with(kEmnist)) fail_to_find(data);
    const fs::path parent = path.has_parent_path() ? path.parent_path() : fs::path(".");
    for (const auto& group : places(parent)) {
      for (const MnistFiles& files : sets_in_any(group)) {
        if (files.part == part) return files;
      }
    }
    fail_to_find(data);
  }
  for (const auto& group : places(data)) {
    const std::vector<MnistFiles> sets = sets_in_any(group);
    EBB_CHECK(sets.size() <= 1, UsageError, "--data ", path_label(data), ": holds ", sets.size(),
              " data sets (", list_of(sets), "). Name one of them.");
    if (sets.size() == 1) return sets.front();
  }
  fail_to_find(data);
}

std::string missing_file_message(const std::string& data, const MnistFiles& files, bool train,
                                 bool images) {
  std::string there;
  for (const auto& [other_train, other_images] : kFilesOfSet) {
    const std::string path = files.path(other_train, other_images);
    if (!path.empty() && there.empty()) there = path_label(path);
  }
  const std::string name = files.name(train, images);
  return cat("--data ", path_label(data), ": found ", there, ", but neither ", name, ".gz nor ",
             name, ". Add the missing files of the same data set",
             files.part.empty() ? cat("; if it is MNIST, scripts/get_mnist ",
                                      path_label(files.directory), " does that.")
                                : std::string("."));
}

}  // namespace ebb
