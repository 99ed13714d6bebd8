#include "base/atomic_file.h"

#include <fcntl.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <optional>
#include <system_error>

#include "base/errno_advice.h"
#include "base/error.h"
#include "base/file_attributes.h"
#include "base/temporary_file.h"
#include "base/text.h"

namespace ebb {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kMaxChunk = uint64_t{1} << 30;  // Linux moves at most 2^31 - 4096 bytes per call
constexpr int kMaxLinks = 40;                      // as in Linux
constexpr mode_t kNewFile = 0666, kPrivate = 0600;

void check_replaceable(const std::string& path, const std::string& label) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  EBB_CHECK(!fs::exists(status) || fs::is_regular_file(status), IoError, label,
            fs::is_directory(status) ? ": is a directory" : ": is a device or pipe",
            ", cannot be replaced by a file. Choose another output name.");
  EBB_CHECK(fs::path(path).has_filename(), IoError, label, ": is no file name. Add one.");
}

FileDescriptor open_directory(const fs::path& path, const std::string& label) {
  // O_PATH: a directory that may be written but not read holds files, too.
  FileDescriptor directory(::open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  const int error = errno;
  if (directory.is_open()) return directory;
  const bool missing = error == ENOENT || error == ENOTDIR;
  throw IoError(cat(label, ": directory ", path_label(path.string()),
                    missing ? " does not exist. Create it first."
                            : " cannot be opened: " + describe_errno(error)));
}

// Bytes that the file system still takes from this user; nothing where it does not say.
std::optional<uint64_t> free_bytes(int directory) {
  struct statvfs status {};
  if (::fstatvfs(directory, &status) != 0 || status.f_blocks == 0) return std::nullopt;
  return uint64_t{status.f_bavail} * status.f_frsize;
}

void check_free_space(int directory, const std::string& label, uint64_t bytes) {
  const std::optional<uint64_t> available = free_bytes(directory);
  const uint64_t needed = bytes + bytes / 20;
  EBB_CHECK(!available || needed <= *available, IoError, label, ": disk full: needs ",
            format_bytes(needed), ", ", format_bytes(*available),
            " free. Nothing was changed. Free space or choose another directory.");
}

std::optional<struct stat> status_of(int directory, const std::string& name) {
  struct stat status {};
  if (::fstatat(directory, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) return std::nullopt;
  return status;
}

bool sync(int fd) {
  int result = 0;
  do {
    result = ::fsync(fd);
  } while (result != 0 && errno == EINTR);
  return result == 0;
}

// Anything else says that directories cannot be synced here: many network and FUSE file systems.
bool is_disk_error(int error) { return error == EIO || error == ENOSPC || error == EDQUOT; }

}  // namespace

std::string follow_links(const std::string& path) {
  fs::path file(path);
  for (int links = 0; links <= kMaxLinks; ++links) {
    std::error_code no_link;
    const fs::path target = fs::read_symlink(file, no_link);
    if (no_link) return file.string();
    file = target.is_absolute() ? target : file.parent_path() / target;
  }
  throw IoError(cat(path_label(path), ": ", describe_errno(ELOOP)));
}

AtomicFile::AtomicFile(const std::string& path, uint64_t expected_bytes, Overwrite overwrite)
    : label_(path_label(path)), overwrite_(overwrite) {
  check_replaceable(path, label_);
  const fs::path target(follow_links(path));
  const fs::path parent = target.parent_path();
  name_ = target.filename().string();
  directory_ = open_directory(parent.empty() ? "." : parent, label_);
  check_free_space(directory_.get(), label_, expected_bytes);
  replaced_ = status_of(directory_.get(), name_);
  if (overwrite_ == Overwrite::kRefuse && replaced_) fail("create the file", EEXIST);
  remove_stale_temporary_files(directory_.get());
  TemporaryFile temporary =
      create_temporary_file(directory_.get(), replaced_ ? kPrivate : kNewFile);
  if (!temporary.fd.is_open()) fail("create the file", errno);
  unlink_on_signal_.emplace(directory_.get(), temporary.name);
  fd_ = std::move(temporary.fd);
  temp_ = temporary.name;
}

AtomicFile::~AtomicFile() {
  if (!temp_.empty()) ::unlinkat(directory_.get(), temp_.c_str(), 0);
}

void AtomicFile::fail(const char* action, int error) const {
  EBB_CHECK(error != EEXIST, IoError, label_,
            ": the file exists and is kept. Use --force to replace it or choose another output.");
  std::string found = std::generic_category().message(error);
  if (error == ENOSPC || error == EDQUOT || error == EFBIG) {
    found += cat(" after ", format_bytes(written_));
    if (const auto available = free_bytes(directory_.get())) {
      found += cat(", ", format_bytes(*available), " free");
    }
  }
  throw IoError(cat(label_, ": cannot ", action, ": ", found,
                    ". The file was not written; an older one is unchanged. ",
                    errno_advice(error)));
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

bool AtomicFile::move_into_place() const {
  const int directory = directory_.get();
  const char *from = temp_.c_str(), *to = name_.c_str();
  if (overwrite_ == Overwrite::kRefuse) {
    if (::renameat2(directory, from, directory, to, RENAME_NOREPLACE) == 0) return true;
    // File systems that cannot do this may know hard links, which never replace either.
    if (errno != EINVAL && errno != ENOSYS && errno != ENOTSUP) return false;
    if (::linkat(directory, from, directory, to, 0) == 0) {
      ::unlinkat(directory, from, 0);
      return true;
    }
    if (errno == EEXIST) return false;
    if (status_of(directory, name_)) return errno = EEXIST, false;
  }
  return ::renameat(directory, from, directory, to) == 0;
}

void AtomicFile::sync_directory() const {
  const FileDescriptor directory(
      ::openat(directory_.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  const bool synced = directory.is_open() && sync(directory.get());
  EBB_CHECK(synced || !is_disk_error(errno), IoError, label_,
            ": the new file is in place, but its directory cannot be synced: ",
            std::generic_category().message(errno),
            ". It may be lost if the power fails. Check the disk.");
}

void AtomicFile::commit() {
  if (replaced_) keep_attributes(fd_.get(), directory_.get(), name_.c_str(), *replaced_);
  // The data must be on disk before the new name is, or a power failure leaves a named file of
  // zeros. A failed fsync is not repeated: the kernel may have dropped the pages it could not
  // write.
  if (!sync(fd_.get())) fail("sync", errno);
  const FileDescriptor lock(::dup(fd_.get()));  // close() reports errors, the lock stays
  if (fd_.close() != 0) fail("close", errno);
  if (!move_into_place()) fail("rename", errno);
  temp_.clear();
  unlink_on_signal_.reset();
  sync_directory();
}

void write_file(const std::string& path, std::string_view content) {
  AtomicFile file(path, content.size());
  file.write(content.data(), content.size());
  file.commit();
}

}  // namespace ebb
