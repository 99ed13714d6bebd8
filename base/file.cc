#include "base/file.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

#include "base/errno_advice.h"
#include "base/error.h"
#include "base/text.h"

namespace ebb {
namespace {

constexpr uint64_t kMaxChunk = uint64_t{1} << 30;  // Linux moves at most 2^31 - 4096 bytes per call

const char* describe_mode(mode_t mode) {
  if (S_ISDIR(mode)) return "a directory";
  if (S_ISFIFO(mode)) return "a pipe";
  if (S_ISSOCK(mode)) return "a socket";
  return "a device";
}

[[noreturn]] void fail_to_open(const std::string& label, int error) {
  switch (error) {
    case ENOENT:
    case ENOTDIR:
      throw IoError(cat(label, ": no such file. Check the path."));
    case EACCES:
    case EPERM:
      throw IoError(cat(label, ": permission denied. Make the file readable (chmod +r)."));
    case ENXIO:
      throw FormatError(cat(label, ": is a socket or device, expected a regular file."));
    default:
      throw IoError(cat(label, ": cannot open: ", describe_errno(error)));
  }
}

}  // namespace

FileReader::FileReader(const std::string& path) : path_(path), label_(path_label(path)) {
  EBB_CHECK(path.find('\0') == std::string::npos, IoError, label_,
            ": no such file. A file name cannot hold NUL.");
  // O_NONBLOCK: opening a FIFO without a writer would wait for one.
  fd_ = FileDescriptor(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
  if (!fd_.is_open()) fail_to_open(label_, errno);
  struct stat status {};
  EBB_CHECK(::fstat(fd_.get(), &status) == 0, IoError, label_,
            ": cannot stat: ", std::generic_category().message(errno), ".");
  EBB_CHECK(S_ISREG(status.st_mode), FormatError, label_, ": is ", describe_mode(status.st_mode),
            ", expected a regular file. Name the file itself.");
  size_ = static_cast<uint64_t>(status.st_size);
}

void FileReader::read_at(uint64_t offset, void* dst, uint64_t bytes) const {
  auto* out = static_cast<std::byte*>(dst);
  for (uint64_t done = 0; done < bytes;) {
    const size_t chunk = std::min(bytes - done, kMaxChunk);
    const ssize_t got = ::pread(fd_.get(), out + done, chunk, static_cast<off_t>(offset + done));
    if (got < 0 && errno == EINTR) continue;
    EBB_CHECK(got >= 0, IoError, label_, ": cannot read at byte ", offset + done, ": ",
              std::generic_category().message(errno), ".");
    EBB_CHECK(got > 0, FormatError, label_, ": ends at byte ", offset + done, ", expected ",
              bytes - done, " more bytes. The file was cut while it was read; copy it again.");
    done += static_cast<uint64_t>(got);
  }
}

std::vector<std::byte> read_file(const std::string& path, uint64_t max_bytes) {
  const FileReader file(path);
  EBB_CHECK(file.size() <= max_bytes, FormatError, file.label(), ": holds ",
            format_bytes(file.size()), ", expected at most ", format_bytes(max_bytes),
            ". This is probably not the file you meant.");
  std::vector<std::byte> content(file.size());
  file.read_at(0, content.data(), content.size());
  return content;
}

}  // namespace ebb
