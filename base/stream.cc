#include "base/stream.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <iostream>
#include <optional>
#include <string_view>
#include <system_error>

#include "base/error.h"
#include "base/file.h"
#include "base/file_descriptor.h"
#include "base/text.h"

namespace ebb {
namespace {

std::string system_error(int code) { return std::generic_category().message(code); }

// The descriptor that a path names. "-" is `dash`.
std::optional<int> descriptor_of(std::string_view path, int dash) {
  if (path == "-") return dash;
  if (path == "/dev/stdin") return STDIN_FILENO;
  if (path == "/dev/stdout") return STDOUT_FILENO;
  if (path == "/dev/stderr") return STDERR_FILENO;
  for (const std::string_view directory : {"/dev/fd/", "/proc/self/fd/"}) {
    if (!path.starts_with(directory)) continue;
    const std::string_view number = path.substr(directory.size());
    int descriptor = -1;
    const char* end = number.data() + number.size();
    const auto [rest, error] = std::from_chars(number.data(), end, descriptor);
    if (error == std::errc() && rest == end && descriptor >= 0) return descriptor;
  }
  return std::nullopt;
}

mode_t mode_of(const std::string& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 ? status.st_mode : 0;
}

FileDescriptor open_stream(const std::string& path, int dash, int flags) {
  const std::optional<int> named = descriptor_of(path, dash);
  FileDescriptor fd(named ? ::fcntl(*named, F_DUPFD_CLOEXEC, 3)
                          : ::open(path.c_str(), flags | O_NOCTTY | O_CLOEXEC));
  EBB_CHECK(fd.is_open(), IoError, path_label(path), ": cannot open: ", system_error(errno), ".");
  return fd;
}

}  // namespace

bool is_input_stream(const std::string& path) {
  return descriptor_of(path, STDIN_FILENO).has_value() || S_ISFIFO(mode_of(path));
}

bool is_standard_output(const std::string& path) {
  return descriptor_of(path, STDOUT_FILENO) == STDOUT_FILENO;
}

bool is_output_stream(const std::string& path) {
  const mode_t mode = mode_of(path);
  return descriptor_of(path, STDOUT_FILENO).has_value() || S_ISFIFO(mode) || S_ISCHR(mode);
}

std::vector<std::byte> read_file_or_stream(const std::string& path, uint64_t max_bytes) {
  if (!is_input_stream(path)) return read_file(path, max_bytes);
  constexpr size_t kPiece = size_t{1} << 16;
  const std::string label = path_label(path);
  const FileDescriptor fd = open_stream(path, STDIN_FILENO, O_RDONLY);
  EBB_CHECK(::isatty(fd.get()) == 0, UsageError, label,
            ": is a terminal, expected a file or a pipe. Use < or |.");
  std::vector<std::byte> content;
  for (;;) {
    const size_t size = content.size();
    content.resize(size + kPiece);
    const ssize_t got = ::read(fd.get(), content.data() + size, kPiece);
    content.resize(size + static_cast<size_t>(std::max<ssize_t>(got, 0)));
    if (got < 0 && errno == EINTR) continue;
    EBB_CHECK(got >= 0, IoError, label, ": cannot read: ", system_error(errno), ".");
    EBB_CHECK(content.size() <= max_bytes, FormatError, label, ": holds more than ",
              format_bytes(max_bytes), ". This is probably not the file you meant.");
    if (got == 0) return content;
  }
}

void check_output_stream(const std::string& path) {
  const std::string label = path_label(path);
  const std::optional<int> named = descriptor_of(path, STDOUT_FILENO);
  if (!named) {
    EBB_CHECK(::access(path.c_str(), W_OK) == 0, IoError, label,
              ": cannot be written: ", system_error(errno), ".");
    return;
  }
  const int flags = ::fcntl(*named, F_GETFL);
  EBB_CHECK(flags >= 0 && (flags & O_ACCMODE) != O_RDONLY, IoError, label,
            ": is not open for writing. Choose another output.");
  EBB_CHECK(::isatty(*named) == 0, UsageError, label,
            ": is a terminal, expected a file or a pipe. Use > or |, or name a file.");
  if (*named != STDOUT_FILENO || std::cout.rdbuf() == std::cerr.rdbuf()) return;
  std::cout.flush();
  std::cout.rdbuf(std::cerr.rdbuf());
}

void write_output_stream(const std::string& path, std::span<const uint8_t> bytes) {
  const FileDescriptor fd = open_stream(path, STDOUT_FILENO, O_WRONLY);
  for (size_t done = 0; done < bytes.size();) {
    const ssize_t written = ::write(fd.get(), bytes.data() + done, bytes.size() - done);
    if (written < 0 && errno == EINTR) continue;
    EBB_CHECK(written >= 0, IoError, path_label(path), ": cannot write: ", system_error(errno),
              ". Check where it goes.");
    done += static_cast<size_t>(written);
  }
}

}  // namespace ebb
