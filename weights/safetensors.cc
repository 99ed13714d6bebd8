#include "weights/safetensors.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "base/error.h"
#include "base/text.h"
#include "weights/file_kind.h"

namespace ebb {
namespace {

static_assert(std::endian::native == std::endian::little, "tensors are stored little-endian");

uint64_t read_header_length(const FileReader& file) {
  EBB_CHECK(file.size() >= kSafetensorsLengthBytes, FormatError, file.label(), ": holds ",
            format_bytes(file.size()),
            ", expected a safetensors file, which starts with an 8-byte ",
            "length. Download or copy it again.");
  uint64_t length = 0;
  file.read_at(0, &length, sizeof length);
  EBB_CHECK(length <= kMaxSafetensorsHeader, FormatError, file.label(), ": header length is ",
            length, " bytes, allowed are ", kMaxSafetensorsHeader,
            ". This is not a safetensors file, or its first bytes are damaged; fetch it again.");
  const uint64_t behind = file.size() - kSafetensorsLengthBytes;
  EBB_CHECK(length <= behind, FormatError, file.label(), ": header length is ", length,
            " bytes, but only ", behind,
            " follow. The download looks incomplete, or this is not a safetensors file.");
  return length;
}

// One digest key without the other means that a byte of a key was damaged.
void check_digest_keys(const SafetensorsFile& file) {
  const auto& metadata = file.metadata();
  const auto scope = metadata.find(kDigestScopeKey);
  const bool has_digest = metadata.contains(kDigestKey);
  EBB_CHECK(has_digest == (scope != metadata.end()), FormatError, file.label(), ": metadata has ",
            has_digest ? kDigestKey : kDigestScopeKey, " without ",
            has_digest ? kDigestScopeKey : kDigestKey,
            ". The file is damaged; use another copy, or remove the key if you edited the file.");
  EBB_CHECK(!has_digest || scope->second == kDigestScope, FormatError, file.label(), ": metadata ",
            kDigestScopeKey, " is ", quoted(scope->second), ", expected ", quoted(kDigestScope),
            ". The file is damaged or from a newer ebb; use another copy.");
}

}  // namespace

SafetensorsFile SafetensorsFile::open(const std::string& path, const LoadLimits& limits) {
  SafetensorsFile result{FileReader(path)};
  const FileReader& file = result.file_;
  refuse_other_kinds(file, "a safetensors file", {FileKind::kSafetensors});
  const uint64_t length = read_header_length(file);
  result.data_start_ = kSafetensorsLengthBytes + length;
  std::string head(result.data_start_, '\0');
  std::memcpy(head.data(), &length, sizeof length);
  file.read_at(kSafetensorsLengthBytes, head.data() + kSafetensorsLengthBytes, length);
  const std::string_view json = std::string_view(head).substr(kSafetensorsLengthBytes);
  result.header_ =
      parse_safetensors_header(json, file.size() - result.data_start_, limits, file.label());
  check_digest_keys(result);
  result.hash_head(std::move(head));
  return result;
}

void SafetensorsFile::hash_head(std::string head) {
  head_hashes_.file.update(head.data(), head.size());
  const auto stored = metadata().find(kDigestKey);
  if (stored != metadata().end() && stored->second.size() == kSha256HexDigits) {
    const size_t place = head.find('"' + stored->second + '"');
    has_digits_ = place != std::string::npos;
    if (has_digits_) head.replace(place + 1, kSha256HexDigits, kSha256HexDigits, '0');
  }
  head_hashes_.content.update(head.data(), head.size());
}

const TensorEntry* SafetensorsFile::find(std::string_view name) const {
  const auto it = std::find_if(entries().begin(), entries().end(),
                               [&](const TensorEntry& entry) { return entry.name == name; });
  return it == entries().end() ? nullptr : &*it;
}

DType SafetensorsFile::dtype_of(const TensorEntry& entry) const {
  const auto dtype = to_engine_dtype(entry.dtype);
  EBB_CHECK(dtype.has_value(), FormatError, label(), ": tensor ", quoted(entry.name), " is ",
            to_string(entry.dtype),
            ", ebb loads F32, BF16, F16, U8, I32 and I64. Convert it to one of these.");
  return *dtype;
}

NonFinite SafetensorsFile::read(const TensorEntry& entry, void* dst) const {
  file_.read_at(data_start_ + entry.begin, dst, entry.bytes());
  return count_non_finite(entry.dtype, dst, entry.bytes());
}

bool SafetensorsFile::check_digest(Sha256 content) const {
  const auto stored = metadata().find(kDigestKey);
  if (stored == metadata().end()) return false;
  EBB_CHECK(has_digits_, FormatError, label(), ": metadata ", kDigestKey, " is ",
            quoted(stored->second),
            ", expected 64 hexadecimal digits. The file is damaged; use another copy.");
  const std::string actual = content.finish();
  EBB_CHECK(actual == stored->second, FormatError, label(), ": SHA-256 is ", actual, ", expected ",
            stored->second, " from its metadata. The file is damaged; use another ",
            "copy. If you edited it on purpose, remove ", kDigestKey, " and ", kDigestScopeKey,
            " from the metadata.");
  return true;
}

bool SafetensorsFile::verify_digest() const {
  Sha256 content = head_hashes_.content;
  if (metadata().contains(kDigestKey)) content.update(file_, data_start_, file_.size());
  return check_digest(content);
}

}  // namespace ebb
