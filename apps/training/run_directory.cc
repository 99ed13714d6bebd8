#include "apps/training/run_directory.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <iostream>
#include <optional>
#include <system_error>

#include "base/errno_advice.h"
#include "base/error.h"
#include "base/temporary_file.h"
#include "base/text.h"
#include "diffusion/train_log.h"

namespace ebb {
namespace {

namespace fs = std::filesystem;

constexpr const char* kPrefix = "checkpoint-";
constexpr const char* kSuffix = ".safetensors";
constexpr size_t kStepDigits = 8;
constexpr const char* kLockFile = ".train_mnist.lock";

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

// "process 1234 on host": containers have processes of the same number.
std::string this_process() {
  char host[256] = {};
  if (gethostname(host, sizeof host - 1) != 0) host[0] = '\0';
  return cat("process ", getpid(), " on ", host);
}

std::string holder_of(int lock_fd) {
  char text[512] = {};
  const ssize_t length = pread(lock_fd, text, sizeof text - 1, 0);
  return length > 0 ? terminal_safe(text) : "another process";
}

// True: held. False: the file system has no locks, and the reason is warned of.
bool take_lock(const FileDescriptor& file, const std::string& label) {
  int result = 0;
  do {
    result = flock(file.get(), LOCK_EX | LOCK_NB);
  } while (result != 0 && errno == EINTR);
  if (result == 0) return true;
  EBB_CHECK(errno != EWOULDBLOCK, UsageError, label, ": in use by ", holder_of(file.get()),
            ". Wait for it or choose another --output.");
  std::cerr << "warning: " << label << ": its file system cannot lock files ("
            << std::generic_category().message(errno)
            << "), so a second run in it would not be noticed. Start only one.\n";
  return false;
}

FileDescriptor open_lock_file(const std::string& path, const std::string& label) {
  FileDescriptor file(
      ::open(path.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0644));
  EBB_CHECK(file.is_open(), IoError, label, ": cannot be written: ", describe_errno(errno));
  return file;
}

}  // namespace

RunDirectory::RunDirectory(const std::string& path) : path_(path) {
  const std::string label = "--output " + path_label(path);
  std::error_code error;
  EBB_CHECK(!fs::exists(path, error) || fs::is_directory(path, error), IoError, label,
            ": is a file, expected a directory. Choose another --output.");
  fs::create_directories(path, error);
  EBB_CHECK(!error, IoError, label, ": cannot be created: ", describe_errno(error.value()));
  lock_ = open_lock_file(file(kLockFile), label);
  if (!take_lock(lock_, label)) return;
  const std::string holder = this_process();
  const bool noted = ftruncate(lock_.get(), 0) == 0 &&
                     pwrite(lock_.get(), holder.data(), holder.size(), 0) == ssize_t(holder.size());
  EBB_CHECK(noted, IoError, label, ": cannot be written: ", describe_errno(errno));
}

std::string RunDirectory::file(const std::string& name) const {
  return (fs::path(path_) / name).string();
}

std::vector<CheckpointFile> RunDirectory::checkpoints() const { return checkpoints_in(path_); }

std::vector<CheckpointFile> checkpoints_in(const std::string& directory) {
  std::vector<CheckpointFile> found;
  std::error_code error;
  if (!fs::is_directory(directory, error)) return found;
  for (fs::directory_iterator it(directory, error), end; !error && it != end; it.increment(error)) {
    if (const auto step = step_of(it->path().filename().string())) {
      found.push_back({it->path().string(), *step});
    }
  }
  EBB_CHECK(!error, IoError, path_label(directory),
            ": cannot be read: ", describe_errno(error.value()));
  std::sort(found.begin(), found.end(),
            [](const CheckpointFile& a, const CheckpointFile& b) { return a.step > b.step; });
  return found;
}

std::string RunDirectory::checkpoint_path(int64_t step) const {
  std::string digits = std::to_string(step);
  if (digits.size() < kStepDigits) digits.insert(0, kStepDigits - digits.size(), '0');
  return file(kPrefix + digits + kSuffix);
}

void RunDirectory::remove_old_checkpoints(
    int64_t keep, const std::function<bool(const std::string&)>& is_ours) const {
  const auto found = checkpoints();
  for (size_t i = static_cast<size_t>(keep); i < found.size(); ++i) {
    std::error_code ignored;
    if (is_ours(found[i].path)) fs::remove(found[i].path, ignored);
  }
}

void RunDirectory::remove_leftovers() const { remove_stale_temporary_files(path_); }

std::string RunDirectory::first_output() const {
  for (const char* name : {"model.safetensors", kTrainLogName, "loss.png"}) {
    std::error_code error;
    if (fs::exists(fs::symlink_status(file(name), error))) return file(name);
  }
  std::error_code error;
  for (fs::directory_iterator it(path_, error), end; !error && it != end; it.increment(error)) {
    const std::string name = it->path().filename().string();
    if ((name.starts_with("samples-epoch-") || name.starts_with("samples-step-")) &&
        name.ends_with(".png")) {
      return it->path().string();
    }
  }
  return "";
}

}  // namespace ebb
