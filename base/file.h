#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/file_descriptor.h"

namespace ebb {

// A regular file opened for reading at any position. Nothing is mapped, so a file that shrinks
// while it is read gives an error instead of SIGBUS. Reads from several threads don't disturb each
// other.
class FileReader {
 public:
  // Never blocks on a FIFO or device: anything but a regular file is a FormatError; a missing or
  // forbidden one an IoError.
  explicit FileReader(const std::string& path);

  const std::string& path() const { return path_; }
  // The path as error messages show it.
  const std::string& label() const { return label_; }
  uint64_t size() const { return size_; }  // bytes, when it was opened

  // Copies `bytes` bytes from `offset`; FormatError when the file ends before that.
  void read_at(uint64_t offset, void* dst, uint64_t bytes) const;

 private:
  std::string path_;
  std::string label_;
  FileDescriptor fd_;
  uint64_t size_ = 0;
};

// The whole file. FormatError when it is larger than max_bytes.
std::vector<std::byte> read_file(const std::string& path, uint64_t max_bytes);

}  // namespace ebb
