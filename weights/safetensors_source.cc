#include "weights/safetensors_source.h"

#include <algorithm>
#include <cstring>
#include <memory>

#include "base/error.h"
#include "base/text.h"

namespace ebb {
namespace {

// Size of the pieces that are read, hashed, checked and converted at a time: small enough for the
// cache, and a multiple of every element's size.
constexpr uint64_t kChunkBytes = uint64_t{1} << 20;

bool is_float(DType dtype) {
  return dtype == DType::kF32 || dtype == DType::kF16 || dtype == DType::kBF16;
}

float element(DType dtype, const std::byte* from) {
  if (dtype == DType::kF32) {
    float value = 0;
    std::memcpy(&value, from, sizeof value);
    return value;
  }
  uint16_t bits = 0;
  std::memcpy(&bits, from, sizeof bits);
  return dtype == DType::kF16 ? f16_to_f32(bits) : bf16_to_f32(bits);
}

void store(DType dtype, float value, std::byte* to) {
  if (dtype == DType::kF32) {
    std::memcpy(to, &value, sizeof value);
    return;
  }
  const uint16_t bits = dtype == DType::kF16 ? f32_to_f16(value) : f32_to_bf16(value);
  std::memcpy(to, &bits, sizeof bits);
}

void convert(DType from, const std::byte* x, uint64_t count, DType to, std::byte* y) {
  const auto x_size = static_cast<uint64_t>(size_of(from));
  const auto y_size = static_cast<uint64_t>(size_of(to));
  for (uint64_t i = 0; i < count; ++i) store(to, element(from, x + i * x_size), y + i * y_size);
}

}  // namespace

SafetensorsSource::SafetensorsSource(SafetensorsFile file)
    : file_(std::move(file)),
      has_digest_(file_.metadata().contains(kDigestKey)),
      hashes_(file_.head_hashes()),
      hashed_(file_.data_start()) {
  for (const TensorEntry& entry : file_.entries()) {
    tensors_.push_back({.name = entry.name, .dtype = entry.dtype, .shape = entry.shape});
  }
}

NonFinite SafetensorsSource::read(std::string_view name, DType dtype, std::span<std::byte> dst) {
  const TensorEntry* entry = file_.find(name);
  EBB_CHECK(entry != nullptr, Error, label(), ": no tensor ", quoted(name));
  const DType stored = file_.dtype_of(*entry);
  EBB_CHECK(stored == dtype || (is_float(stored) && is_float(dtype)), FormatError, label(),
            ": tensor ", quoted(name), " is ", to_string(entry->dtype), ", expected ",
            to_string(to_st_dtype(dtype)), " or a type that converts to it.");
  const auto from_size = static_cast<uint64_t>(size_of(stored));
  const auto to_size = static_cast<uint64_t>(size_of(dtype));
  const uint64_t elements = entry->bytes() / from_size;
  EBB_CHECK(dst.size() == elements * to_size, Error, label(), ": tensor ", quoted(name), " takes ",
            elements * to_size, " bytes, got ", dst.size());

  std::vector<std::byte> staging(stored == dtype ? 0 : std::min(kChunkBytes, entry->bytes()));
  NonFinite found;
  for (uint64_t done = 0; done < entry->bytes(); done += kChunkBytes) {
    const uint64_t bytes = std::min(kChunkBytes, entry->bytes() - done);
    std::byte* to = dst.data() + done / from_size * to_size;
    std::byte* chunk = stored == dtype ? to : staging.data();
    read_hashed(file_.data_start() + entry->begin + done, chunk, bytes);
    found += count_non_finite(entry->dtype, chunk, bytes);
    if (stored != dtype) convert(stored, chunk, bytes / from_size, dtype, to);
  }
  return found;
}

void SafetensorsSource::read_hashed(uint64_t offset, std::byte* dst, uint64_t bytes) {
  if (offset > hashed_) hash_up_to(offset);
  file_.file().read_at(offset, dst, bytes);
  const uint64_t known = std::min(bytes, hashed_ - offset);
  hashes_.file.update(dst + known, bytes - known);
  if (has_digest_) hashes_.content.update(dst + known, bytes - known);
  hashed_ += bytes - known;
}

void SafetensorsSource::hash_up_to(uint64_t offset) {
  std::vector<std::byte> chunk(std::min(kChunkBytes, offset - hashed_));
  while (hashed_ < offset) {
    read_hashed(hashed_, chunk.data(), std::min<uint64_t>(chunk.size(), offset - hashed_));
  }
}

std::string SafetensorsSource::finish() {
  if (hashed_ < file_.file().size()) hash_up_to(file_.file().size());
  file_.check_digest(hashes_.content);
  Sha256 file = hashes_.file;
  return file.finish();
}

std::unique_ptr<WeightSource> open_weights(const std::string& path, const LoadLimits& limits) {
  return std::make_unique<SafetensorsSource>(SafetensorsFile::open(path, limits));
}

}  // namespace ebb
