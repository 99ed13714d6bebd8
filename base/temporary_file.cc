#include "base/temporary_file.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <ctime>
#include <memory>
#include <random>
#include <string_view>

namespace ebb {
namespace {

constexpr std::string_view kPrefix = ".ebb-", kSuffix = ".tmp";
constexpr size_t kDigits = 16;
constexpr time_t kAbandonedSeconds = 24 * 60 * 60;

std::string random_name() {
  uint64_t word = 0;
  if (::getrandom(&word, sizeof word, GRND_NONBLOCK) != ssize_t{sizeof word}) {
    std::random_device device;  // early after boot
    word = uint64_t{device()} << 32 | device();
  }
  std::array<char, kDigits + 1> digits{};
  std::snprintf(digits.data(), digits.size(), "%016llx", static_cast<unsigned long long>(word));
  return std::string(kPrefix) + digits.data() + std::string(kSuffix);
}

bool has_our_name(std::string_view name) {
  return name.size() == kPrefix.size() + kDigits + kSuffix.size() && name.starts_with(kPrefix) &&
         name.ends_with(kSuffix) &&
         name.substr(kPrefix.size(), kDigits).find_first_not_of("0123456789abcdef") ==
             std::string_view::npos;
}

// No living process writes to the file any more.
bool is_abandoned(int fd) {
  struct stat status {};
  if (::fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) return false;
  if (::flock(fd, LOCK_EX | LOCK_NB) == 0) return true;
  return errno != EWOULDBLOCK && std::time(nullptr) - status.st_mtime > kAbandonedSeconds;
}

void remove_if_abandoned(int directory, const char* name) {
  const FileDescriptor fd(
      ::openat(directory, name, O_WRONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC));
  if (fd.is_open() && is_abandoned(fd.get())) ::unlinkat(directory, name, 0);
}

}  // namespace

TemporaryFile create_temporary_file(int directory, unsigned mode) {
  for (;;) {
    const std::string name = random_name();
    FileDescriptor fd(
        ::openat(directory, name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode));
    if (!fd.is_open() && errno == EEXIST) continue;
    if (!fd.is_open()) return {name, std::move(fd)};
    while (::flock(fd.get(), LOCK_EX) != 0 && errno == EINTR) {
    }
    // Another process may have taken the new file for an abandoned one before it was locked, and
    // removed it; then it is made again.
    struct stat status {};
    if (::fstat(fd.get(), &status) != 0 || status.st_nlink > 0) return {name, std::move(fd)};
  }
}

void remove_stale_temporary_files(int directory) {
  const int fd = ::openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return;
  const std::unique_ptr<DIR, int (*)(DIR*)> entries(::fdopendir(fd), ::closedir);
  if (entries == nullptr) {
    ::close(fd);
    return;
  }
  while (const dirent* entry = ::readdir(entries.get())) {
    if (has_our_name(entry->d_name)) remove_if_abandoned(directory, entry->d_name);
  }
}

void remove_stale_temporary_files(const std::string& directory) {
  const FileDescriptor fd(::open(directory.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (fd.is_open()) remove_stale_temporary_files(fd.get());
}

}  // namespace ebb
