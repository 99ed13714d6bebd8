#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/file_descriptor.h"
#include "base/unlink_on_signal.h"

namespace ebb {

// Policy for an existing output file: kReplace is the --force flag.
enum class Overwrite { kRefuse, kReplace };

// Writes a file in one step: readers and a crash at any moment see the old content or the new,
// never a part. The bytes go to a temporary file in the same directory (temporary_file.h); commit()
// makes them durable and renames. Without commit() the temporary file is removed and the old file
// stays; so it is when a signal ends a program that called unlink_files_on_signals().
//
// A replaced file keeps its mode and, where possible, its owner (file_attributes.h). Symbolic links
// are followed, never replaced. File systems that cannot lock files or sync directories do without.
//
// Programs should ignore SIGXFSZ, so that a file size limit (ulimit -f) shows as an IoError.
class AtomicFile {
 public:
  // IoError when the directory cannot be written, when the target exists and is not a regular file
  // or must stay, or when free space is below expected_bytes + 5 %.
  AtomicFile(const std::string& path, uint64_t expected_bytes,
             Overwrite overwrite = Overwrite::kReplace);
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;
  ~AtomicFile();

  void write(const void* data, uint64_t bytes);  // IoError

  // fsync, close, rename, fsync of the directory. IoError when one of them fails, and with
  // Overwrite::kRefuse when the file has come into being meanwhile.
  void commit();

 private:
  [[noreturn]] void fail(const char* action, int error) const;
  bool move_into_place() const;  // false: errno says why
  void sync_directory() const;

  std::string label_;         // the path as messages show it
  std::string name_;          // of the file, with links followed
  FileDescriptor directory_;  // that holds it
  Overwrite overwrite_;
  std::optional<struct stat> replaced_;  // of the old file
  std::string temp_;                     // name of the temporary file; empty once renamed
  std::optional<UnlinkOnSignal> unlink_on_signal_;
  FileDescriptor fd_;
  uint64_t written_ = 0;
};

// The file that a path means: what its symbolic links point to, whether that is there or not.
// IoError for links that go in circles.
std::string follow_links(const std::string& path);

// Writes a small file through AtomicFile.
void write_file(const std::string& path, std::string_view content);

}  // namespace ebb
