#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/file_descriptor.h"
#include "base/unlink_on_signal.h"

namespace ebb {

// Replaces a file in one step: readers and a crash at any moment see the old content or the new,
// never a part. The bytes go to ".<name>.<pid>.tmp" in the same directory; commit() makes them
// durable and renames. Without commit() the temporary file is removed and the old file stays; so it
// is when a signal ends the process (UnlinkOnSignal).
//
// The temporary file is locked (flock) while its writer lives; temporary files of the same target
// that nobody holds, left by a killed process, are removed by the next writer.
//
// Programs should ignore SIGXFSZ, so that a file size limit (ulimit -f) shows as an IoError.
class AtomicFile {
 public:
  // IoError when the directory cannot be written, when the target exists and is not a regular file,
  // or when free space is below expected_bytes + 5 %. A symbolic link is followed, not replaced.
  AtomicFile(const std::string& path, uint64_t expected_bytes);
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;
  ~AtomicFile();

  void write(const void* data, uint64_t bytes);  // IoError

  // fsync, close, rename, fsync of the directory. IoError when any of them fails.
  void commit();

 private:
  [[noreturn]] void fail(const char* action, int error) const;

  std::string label_;      // the path as messages show it
  std::string target_;     // the path with links resolved
  std::string directory_;  // of target_
  std::string temp_;       // empty once renamed
  std::optional<UnlinkOnSignal> unlink_on_signal_;
  FileDescriptor fd_;
  uint64_t written_ = 0;
};

// Writes a small file through AtomicFile.
void write_file(const std::string& path, std::string_view content);

}  // namespace ebb
