#pragma once

#include <zlib.h>

#include <cstddef>
#include <vector>

#include "base/file.h"

namespace ebb {

// A file's content from start to end, inflated on the fly when the file starts with gzip's magic
// number. Several gzip members in a row count as one stream; zeros between and behind them, with
// which tapes and archives fill their blocks, count as nothing. Memory stays at one small buffer
// whatever the file inflates to; the reader decides when to stop.
class GzipStream {
 public:
  explicit GzipStream(const std::string& path);
  GzipStream(const GzipStream&) = delete;
  GzipStream& operator=(const GzipStream&) = delete;
  ~GzipStream();

  const FileReader& file() const { return file_; }
  bool compressed() const { return compressed_; }

  // Copies up to `bytes` bytes; fewer only at the end of the content. FormatError when compressed
  // data is damaged, cut, or its CRC or length does not fit (checked when the end is reached).
  size_t read(void* dst, size_t bytes);

  // True when nothing is left; checks the end of compressed data.
  bool at_end();

 private:
  size_t read_plain(void* dst, size_t bytes);
  size_t inflate_into(void* dst, size_t bytes);
  bool start_member();
  void refill();
  [[noreturn]] void fail(const char* what) const;

  FileReader file_;
  bool compressed_ = false;
  uint64_t position_ = 0;  // bytes of the file taken so far
  std::vector<std::byte> input_;
  z_stream stream_{};
  bool between_members_ = false;
};

}  // namespace ebb
