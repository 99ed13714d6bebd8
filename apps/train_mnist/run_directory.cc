#include "apps/train_mnist/run_directory.h"

#include <fcntl.h>
#include <sys/file.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <optional>

#include "base/error.h"

namespace ebb {
namespace {

namespace fs = std::filesystem;

constexpr const char* kPrefix = "checkpoint-";
constexpr const char* kSuffix = ".safetensors";
constexpr size_t kStepDigits = 8;

std::optional<int64_t> step_of(const std::string& name) {
  const size_t digits_at = std::strlen(kPrefix);
  if (!name.starts_with(kPrefix) || !name.ends_with(kSuffix)) return {};
  const std::string digits = name.substr(digits_at, name.size() - digits_at - std::strlen(kSuffix));
  if (digits.empty() || digits.size() > 18 ||
      digits.find_first_not_of("0123456789") != std::string::npos) {
    return {};
  }
  return std::stoll(digits);
}

std::string holder_of(int lock_fd) {
  char text[32] = {};
  const ssize_t length = pread(lock_fd, text, sizeof text - 1, 0);
  return length > 0 ? "process " + std::string(text) : "another process";
}

}  // namespace

RunDirectory::RunDirectory(const std::string& path) : path_(path) {
  std::error_code error;
  fs::create_directories(path, error);
  EBB_CHECK(!error && fs::is_directory(path), IoError, "--output ", path,
            ": cannot be created: ", error ? error.message() : "it is not a directory");
  const std::string lock_path = file(".lock");
  lock_ = FileDescriptor(::open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
  EBB_CHECK(lock_.is_open(), IoError, "--output ", path,
            ": cannot be written: ", std::strerror(errno), ". Choose another --output");
  EBB_CHECK(flock(lock_.get(), LOCK_EX | LOCK_NB) == 0, UsageError, "--output ", path,
            ": in use by ", holder_of(lock_.get()), ". Wait for it or choose another --output");
  const std::string pid = std::to_string(getpid());
  const bool noted = ftruncate(lock_.get(), 0) == 0 &&
                     pwrite(lock_.get(), pid.data(), pid.size(), 0) == ssize_t(pid.size());
  EBB_CHECK(noted, IoError, lock_path, ": cannot be written: ", std::strerror(errno));
}

std::string RunDirectory::file(const std::string& name) const {
  return (fs::path(path_) / name).string();
}

std::vector<CheckpointFile> RunDirectory::checkpoints() const {
  std::vector<CheckpointFile> found;
  for (const auto& item : fs::directory_iterator(path_)) {
    if (const auto step = step_of(item.path().filename().string())) {
      found.push_back({item.path().string(), *step});
    }
  }
  std::sort(found.begin(), found.end(),
            [](const CheckpointFile& a, const CheckpointFile& b) { return a.step > b.step; });
  return found;
}

std::string RunDirectory::checkpoint_path(int64_t step) const {
  std::string digits = std::to_string(step);
  if (digits.size() < kStepDigits) digits.insert(0, kStepDigits - digits.size(), '0');
  return file(kPrefix + digits + kSuffix);
}

void RunDirectory::remove_old_checkpoints(int64_t keep) const {
  const auto found = checkpoints();
  for (size_t i = static_cast<size_t>(keep); i < found.size(); ++i) {
    std::error_code ignored;
    fs::remove(found[i].path, ignored);
  }
}

void RunDirectory::remove_leftovers() const {
  for (const auto& item : fs::directory_iterator(path_)) {
    const std::string name = item.path().filename().string();
    if (name.starts_with(".") && name.ends_with(".tmp")) {
      std::error_code ignored;
      fs::remove(item.path(), ignored);
    }
  }
}

}  // namespace ebb
