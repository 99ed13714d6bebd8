#include "weights/safetensors_source.h"

#include <algorithm>

#include "base/error.h"
#include "base/text.h"

namespace ebb {

SafetensorsSource::SafetensorsSource(SafetensorsFile file)
    : file_(std::move(file)),
      has_digest_(file_.metadata().contains(kDigestKey)),
      hashes_(file_.head_hashes()),
      reader_(file_.data_start()) {
  for (const TensorEntry& entry : file_.entries()) {
    by_name_[entry.name] = tensors_.size();
    tensors_.push_back({.name = entry.name, .dtype = entry.dtype, .shape = entry.shape});
  }
}

NonFinite SafetensorsSource::stream(std::string_view name, const Sink& sink) {
  const auto known = by_name_.find(name);
  EBB_CHECK(known != by_name_.end(), Error, label(), ": no tensor ", quoted(name));
  const TensorEntry* entry = &file_.entries()[known->second];
  std::vector<std::byte> chunk(std::min(kChunkBytes, entry->bytes()));
  NonFinite found;
  for (uint64_t done = 0; done < entry->bytes(); done += kChunkBytes) {
    const uint64_t bytes = std::min(kChunkBytes, entry->bytes() - done);
    reader_.read_at(file_.file(), file_.data_start() + entry->begin + done, chunk.data(), bytes,
                    [this](const std::byte* data, uint64_t count) { hash(data, count); });
    found += count_non_finite(entry->dtype, chunk.data(), bytes);
    sink(std::span(chunk).first(bytes));
  }
  return found;
}

void SafetensorsSource::hash(const std::byte* data, uint64_t bytes) {
  hashes_.file.update(data, bytes);
  if (has_digest_) hashes_.content.update(data, bytes);
}

std::string SafetensorsSource::finish() {
  reader_.read_rest(file_.file(),
                    [this](const std::byte* data, uint64_t count) { hash(data, count); });
  file_.check_digest(hashes_.content);
  Sha256 file = hashes_.file;
  return file.finish();
}

}  // namespace ebb
