#include "weights/gzip_stream.h"

#include <algorithm>
#include <array>
#include <new>

#include "base/error.h"

namespace ebb {
namespace {

constexpr uint64_t kInputBytes = 64 * 1024;
constexpr int kGzipWindow = 15 + 16;  // 32 KiB window; + 16: gzip wrapper only

bool has_gzip_magic(const FileReader& file) {
  std::array<uint8_t, 2> magic{};
  if (file.size() < magic.size()) return false;
  file.read_at(0, magic.data(), magic.size());
  return magic[0] == 0x1f && magic[1] == 0x8b;
}

}  // namespace

GzipStream::GzipStream(const std::string& path) : file_(path), compressed_(has_gzip_magic(file_)) {
  if (!compressed_) return;
  input_.resize(kInputBytes);
  if (inflateInit2(&stream_, kGzipWindow) != Z_OK) throw std::bad_alloc();
}

GzipStream::~GzipStream() {
  if (compressed_) inflateEnd(&stream_);
}

void GzipStream::fail(const char* what) const {
  throw FormatError(cat(file_.label(), ": gzip data is damaged (", what, ") at byte ",
                        position_ - stream_.avail_in, " of ", file_.size(),
                        ". Download or copy it again."));
}

size_t GzipStream::read(void* dst, size_t bytes) {
  return compressed_ ? inflate_into(dst, bytes) : read_plain(dst, bytes);
}

bool GzipStream::at_end() {
  std::byte extra{};
  return read(&extra, 1) == 0;
}

size_t GzipStream::read_plain(void* dst, size_t bytes) {
  const uint64_t take = std::min<uint64_t>(bytes, file_.size() - position_);
  file_.read_at(position_, dst, take);
  position_ += take;
  return take;
}

void GzipStream::refill() {
  const uint64_t take = std::min(kInputBytes, file_.size() - position_);
  file_.read_at(position_, input_.data(), take);
  position_ += take;
  stream_.next_in = reinterpret_cast<Bytef*>(input_.data());
  stream_.avail_in = static_cast<uInt>(take);
}

// Behind a member: goes to the next one; false at the end of the file.
bool GzipStream::start_member() {
  for (;;) {
    if (stream_.avail_in == 0) refill();
    if (stream_.avail_in == 0) return false;
    if (*stream_.next_in != 0) break;
    ++stream_.next_in;
    --stream_.avail_in;
  }
  inflateReset(&stream_);
  between_members_ = false;
  return true;
}

size_t GzipStream::inflate_into(void* dst, size_t bytes) {
  constexpr size_t kMaxOutput = size_t{1} << 30;  // zlib counts in 32 bits
  auto* out = static_cast<Bytef*>(dst);
  size_t done = 0;
  while (done < bytes) {
    if (between_members_ && !start_member()) break;
    if (stream_.avail_in == 0) refill();
    if (stream_.avail_in == 0) fail("it ends early");
    stream_.next_out = out + done;
    stream_.avail_out = static_cast<uInt>(std::min(bytes - done, kMaxOutput));
    const int result = inflate(&stream_, Z_NO_FLUSH);
    done = static_cast<size_t>(stream_.next_out - out);
    if (result == Z_MEM_ERROR) throw std::bad_alloc();
    if (result == Z_STREAM_END) {
      between_members_ = true;
    } else if (result != Z_OK && result != Z_BUF_ERROR) {
      fail(stream_.msg != nullptr ? stream_.msg : "unknown error");
    }
  }
  return done;
}

}  // namespace ebb
