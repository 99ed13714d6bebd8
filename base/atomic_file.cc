#include "base/atomic_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <optional>
#include <system_error>

#include "base/error.h"
#include "base/text.h"

namespace ebb {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kMaxChunk = uint64_t{1} << 30;  // Linux moves at most 2^31 - 4096 bytes per call
constexpr const char* kTempSuffix = ".tmp";

std::string temp_prefix(const std::string& target) {
  return cat(".", fs::path(target).filename().string(), ".");
}

// The file to replace: what a symbolic link points to, otherwise the path itself.
std::string resolve_target(const std::string& path, const std::string& label) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  EBB_CHECK(!fs::exists(status) || fs::is_regular_file(status), IoError, label,
            fs::is_directory(status) ? ": is a directory" : ": is a device or pipe",
            ", cannot be replaced by a file. Choose another output name.");
  EBB_CHECK(fs::path(path).has_filename(), IoError, label, ": is no file name. Add one.");
  if (!fs::is_symlink(fs::symlink_status(path, error))) return path;
  const fs::path resolved = fs::weakly_canonical(path, error);
  EBB_CHECK(!error, IoError, label, ": cannot follow the link: ", error.message(), ".");
  return resolved.string();
}

// Bytes that the file system still takes from this user; nothing where it does not say.
std::optional<uint64_t> free_bytes(const std::string& directory) {
  struct statvfs status {};
  if (::statvfs(directory.c_str(), &status) != 0 || status.f_blocks == 0) return std::nullopt;
  return uint64_t{status.f_bavail} * status.f_frsize;
}

void check_free_space(const std::string& directory, const std::string& label, uint64_t bytes) {
  const std::optional<uint64_t> available = free_bytes(directory);
  const uint64_t needed = bytes + bytes / 20;
  EBB_CHECK(!available || needed <= *available, IoError, label, ": disk full: needs ",
            format_bytes(needed), ", ", format_bytes(*available),
            " free. Nothing was changed. Free space or choose another directory.");
}

bool is_temp_of(const std::string& name, const std::string& prefix) {
  if (!name.starts_with(prefix) || !name.ends_with(kTempSuffix)) return false;
  const std::string_view suffix(kTempSuffix);
  if (name.size() <= prefix.size() + suffix.size()) return false;
  const std::string pid = name.substr(prefix.size(), name.size() - prefix.size() - suffix.size());
  return pid.find_first_not_of("0123456789") == std::string::npos;
}

// A temporary file whose lock can be taken belongs to a process that is gone.
void remove_stale_temps(const std::string& directory, const std::string& prefix) {
  std::error_code error;
  for (fs::directory_iterator it(directory, error), end; !error && it != end; it.increment(error)) {
    if (!is_temp_of(it->path().filename().string(), prefix)) continue;
    const FileDescriptor fd(::open(it->path().c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC));
    if (fd.is_open() && ::flock(fd.get(), LOCK_EX | LOCK_NB) == 0) ::unlink(it->path().c_str());
  }
}

// Creates and locks the temporary file. Another process may take the new file for a stale one
// before it is locked, and remove it; then it is made again.
FileDescriptor create_locked(const std::string& temp) {
  for (;;) {
    FileDescriptor fd(::open(temp.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
    if (!fd.is_open()) return fd;
    while (::flock(fd.get(), LOCK_EX) != 0 && errno == EINTR) {
    }
    struct stat status {};
    if (::fstat(fd.get(), &status) != 0 || status.st_nlink > 0) return fd;
  }
}

bool sync(int fd) {
  int result = 0;
  do {
    result = ::fsync(fd);
  } while (result != 0 && errno == EINTR);
  return result == 0;
}

}  // namespace

AtomicFile::AtomicFile(const std::string& path, uint64_t expected_bytes)
    : label_(path_label(path)), target_(resolve_target(path, label_)) {
  const fs::path parent = fs::path(target_).parent_path();
  directory_ = parent.empty() ? "." : parent.string();
  std::error_code ignored;
  EBB_CHECK(fs::is_directory(directory_, ignored), IoError, label_, ": directory ",
            path_label(directory_), " does not exist. Create it first.");
  check_free_space(directory_, label_, expected_bytes);
  const std::string prefix = temp_prefix(target_);
  remove_stale_temps(directory_, prefix);
  const std::string temp = (parent / (prefix + std::to_string(::getpid()) + kTempSuffix)).string();
  unlink_on_signal_.emplace(temp);
  fd_ = create_locked(temp);
  if (!fd_.is_open()) fail("create the file", errno);
  temp_ = temp;
}

AtomicFile::~AtomicFile() {
  if (!temp_.empty()) ::unlink(temp_.c_str());
}

void AtomicFile::fail(const char* action, int error) const {
  std::string message =
      cat(label_, ": cannot ", action, ": ", std::generic_category().message(error));
  if (error == ENOSPC || error == EDQUOT || error == EFBIG) {
    message += cat(" after ", format_bytes(written_));
    if (const auto available = free_bytes(directory_)) {
      message += cat(", ", format_bytes(*available), " free");
    }
  }
  throw IoError(message +
                ". The file was not written; an older one is unchanged. Check the disk and the "
                "permissions of the directory.");
}

void AtomicFile::write(const void* data, uint64_t bytes) {
  const auto* from = static_cast<const char*>(data);
  for (uint64_t done = 0; done < bytes;) {
    const size_t chunk = std::min(bytes - done, kMaxChunk);
    const ssize_t put = ::write(fd_.get(), from + done, chunk);
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) fail("write", put < 0 ? errno : EIO);
    done += static_cast<uint64_t>(put);
    written_ += static_cast<uint64_t>(put);
  }
}

void AtomicFile::commit() {
  // The data must be on disk before the new name is, or a power failure leaves a named file of
  // zeros. A failed fsync is not repeated: the kernel may have dropped the pages it could not
  // write.
  if (!sync(fd_.get())) fail("sync", errno);
  const FileDescriptor lock(::dup(fd_.get()));  // close() reports errors, the lock stays
  if (fd_.close() != 0) fail("close", errno);
  if (::rename(temp_.c_str(), target_.c_str()) != 0) fail("rename", errno);
  temp_.clear();
  unlink_on_signal_.reset();
  const FileDescriptor directory(::open(directory_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  const bool synced = directory.is_open() && (sync(directory.get()) || errno == EINVAL);
  EBB_CHECK(synced, IoError, label_,
            ": the new file is in place, but its directory cannot be synced: ",
            std::generic_category().message(errno),
            ". It may be lost if the power fails. Check the disk.");
}

void write_file(const std::string& path, std::string_view content) {
  AtomicFile file(path, content.size());
  file.write(content.data(), content.size());
  file.commit();
}

}  // namespace ebb
