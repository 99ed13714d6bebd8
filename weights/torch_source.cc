#include "weights/torch_source.h"

#include <zlib.h>

#include <algorithm>
#include <cstring>

#include "base/error.h"
#include "base/text.h"

namespace ebb {
namespace {

// The elements of a view in logical order, as positions in bytes from its first one.
class LogicalOrder {
 public:
  LogicalOrder(const TorchTensor& tensor, uint64_t item_bytes)
      : tensor_(tensor), item_(item_bytes), index_(tensor.shape.size()) {}

  uint64_t position() const { return position_; }
  void advance() {
    for (size_t i = index_.size(); i-- > 0;) {
      position_ += tensor_.stride[i] * item_;
      if (++index_[i] < tensor_.shape[i]) return;
      position_ -= tensor_.shape[i] * tensor_.stride[i] * item_;
      index_[i] = 0;
    }
  }

 private:
  const TorchTensor& tensor_;
  uint64_t item_;
  std::vector<uint64_t> index_;
  uint64_t position_ = 0;
};

}  // namespace

TorchSource::TorchSource(FileReader file, const LoadLimits& limits)
    : file_(std::move(file)), content_(read_torch_file(file_, limits)) {
  for (const TorchTensor& tensor : content_.tensors) {
    by_name_[tensor.name] = tensors_.size();
    tensors_.push_back(
        {.name = tensor.name, .dtype = tensor.dtype, .shape = tensor.shape, .index = tensor.index});
  }
}

NonFinite TorchSource::stream(std::string_view name, const Sink& sink) {
  const auto found = by_name_.find(name);
  EBB_CHECK(found != by_name_.end(), Error, label(), ": no tensor ", quoted(name));
  const TorchTensor& tensor = content_.tensors[found->second];
  return tensor.is_contiguous() ? stream_contiguous(tensor, sink) : stream_strided(tensor, sink);
}

NonFinite TorchSource::stream_contiguous(const TorchTensor& tensor, const Sink& sink) {
  const uint64_t total = tensor.elements() * static_cast<uint64_t>(bits_of(tensor.dtype)) / 8;
  std::vector<std::byte> chunk(std::min(kChunkBytes, total));
  NonFinite found;
  for (uint64_t done = 0; done < total; done += kChunkBytes) {
    const uint64_t bytes = std::min(kChunkBytes, total - done);
    read_at(tensor.begin + done, chunk.data(), bytes);
    found += count_non_finite(tensor.dtype, chunk.data(), bytes);
    sink(std::span(chunk).first(bytes));
  }
  return found;
}

// Through a window of the file: all of the view where it is a permutation of what it spans, else so
// small that an element of a far jump costs one page.
NonFinite TorchSource::stream_strided(const TorchTensor& tensor, const Sink& sink) {
  constexpr uint64_t kWindowBytes = 4096;
  const uint64_t item = static_cast<uint64_t>(bits_of(tensor.dtype)) / 8;
  uint64_t extent = item;  // of the view, in bytes
  for (size_t i = 0; i < tensor.shape.size(); ++i) {
    extent += (std::max<uint64_t>(tensor.shape[i], 1) - 1) * tensor.stride[i] * item;
  }
  const uint64_t total = tensor.elements() * item;
  std::vector<std::byte> window(extent <= 2 * total ? extent : std::min(kWindowBytes, extent));
  uint64_t begin = extent, end = extent;  // of the window, in bytes of the view: nothing yet
  std::vector<std::byte> chunk(std::min(kChunkBytes, total));
  NonFinite found;
  uint64_t filled = 0;
  LogicalOrder order(tensor, item);
  for (uint64_t left = tensor.elements(); left > 0; --left, order.advance()) {
    const uint64_t at = order.position();
    if (at < begin || at + item > end) {
      begin = at;
      end = std::min(at + window.size(), extent);
      read_at(tensor.begin + begin, window.data(), end - begin);
    }
    std::memcpy(chunk.data() + filled, window.data() + (at - begin), item);
    filled += item;
    if (filled < chunk.size() && left > 1) continue;
    found += count_non_finite(tensor.dtype, chunk.data(), filled);
    sink(std::span(chunk).first(filled));
    filled = 0;
  }
  return found;
}

void TorchSource::read_at(uint64_t offset, std::byte* dst, uint64_t bytes) {
  reader_.read_at(file_, offset, dst, bytes,
                  [this](const std::byte* data, uint64_t count) { observe(data, count); });
}

// Takes the file's bytes in their order.
void TorchSource::observe(const std::byte* data, uint64_t bytes) {
  sha_.update(data, bytes);
  const uint64_t end = observed_ + bytes;
  while (checksum_ < content_.checksums.size()) {
    const TorchChecksum& member = content_.checksums[checksum_];
    const uint64_t from = std::max(member.begin, observed_), to = std::min(member.end, end);
    if (from < to) {
      crc_ = ::crc32_z(crc_, reinterpret_cast<const Bytef*>(data + (from - observed_)), to - from);
    }
    if (end < member.end) break;
    EBB_CHECK(member.crc == 0 || member.crc == crc_, FormatError, label(), ": ",
              quoted(member.member), " has another CRC-32 than the archive says. The file is ",
              "damaged; fetch it again.");
    ++checksum_;
    crc_ = 0;
  }
  observed_ = end;
}

std::string TorchSource::finish() {
  reader_.read_rest(file_, [this](const std::byte* data, uint64_t count) { observe(data, count); });
  Sha256 sha = sha_;
  return sha.finish();
}

}  // namespace ebb
