#include <algorithm>
#include <tuple>

#include "base/atomic_file.h"
#include "base/error.h"
#include "base/json.h"
#include "base/text.h"
#include "weights/digest.h"
#include "weights/safetensors.h"

namespace ebb {
namespace {

uint64_t byte_count(const TensorToSave& tensor) {
  uint64_t bits = static_cast<uint64_t>(bits_of(tensor.dtype));
  for (const uint64_t dim : tensor.shape) {
    EBB_CHECK(!__builtin_mul_overflow(bits, dim, &bits), ShapeError, "tensor ", quoted(tensor.name),
              ": more than 2^64 bits");
  }
  EBB_CHECK(bits % 8 == 0, ShapeError, "tensor ", quoted(tensor.name), ": ", bits,
            " bits, expected whole bytes");
  return bits / 8;
}

void sort_and_check(std::vector<TensorToSave>& tensors, const std::string& label) {
  std::sort(tensors.begin(), tensors.end(), [](const TensorToSave& a, const TensorToSave& b) {
    return std::make_tuple(-bits_of(a.dtype), std::cref(a.name)) <
           std::make_tuple(-bits_of(b.dtype), std::cref(b.name));
  });
  std::vector<std::string_view> names;
  for (const TensorToSave& tensor : tensors) names.push_back(tensor.name);
  std::sort(names.begin(), names.end());
  const auto reference_module = std::adjacent_find(names.begin(), names.end());
  EBB_CHECK(reference_module == names.end(), Error, label, ": two tensors named ",
            quoted(*reference_module));
  EBB_CHECK(!std::binary_search(names.begin(), names.end(), kSafetensorsMetadataKey), Error, label,
            ": a tensor cannot be named ", kSafetensorsMetadataKey);
}

std::string header_json(const std::vector<TensorToSave>& tensors,
                        const std::map<std::string, std::string>& metadata) {
  Json header;
  header[kSafetensorsMetadataKey] = metadata;
  uint64_t offset = 0;
  for (const TensorToSave& tensor : tensors) {
    const uint64_t end = offset + byte_count(tensor);
    header[tensor.name] = {{"dtype", to_string(tensor.dtype)},
                           {"shape", tensor.shape},
                           {"data_offsets", {offset, end}}};
    offset = end;
  }
  try {
    return header.dump();
  } catch (const Json::exception& error) {
    throw Error(cat("safetensors header: a name or metadata value is not UTF-8: ", error.what()));
  }
}

// Length, JSON and padding, with zeros for the digest.
std::string file_head(const std::vector<TensorToSave>& tensors,
                      std::map<std::string, std::string> metadata, const std::string& label) {
  for (const char* key : {kDigestKey, kDigestScopeKey}) {
    EBB_CHECK(!metadata.contains(key), Error, label, ": metadata ", key, " is set by the writer");
  }
  metadata[kDigestKey] = std::string(kSha256HexDigits, '0');
  metadata[kDigestScopeKey] = kDigestScope;
  std::string json = header_json(tensors, metadata);
  json.append((8 - json.size() % 8) % 8, ' ');
  EBB_CHECK(json.size() <= kMaxSafetensorsHeader, Error, label, ": header of ", json.size(),
            " bytes, the format allows ", kMaxSafetensorsHeader);
  const uint64_t length = json.size();
  return std::string(reinterpret_cast<const char*>(&length), sizeof length) + json;
}

void insert_digest(std::string& head, const std::vector<TensorToSave>& tensors) {
  Sha256 sha;
  sha.update(head.data(), head.size());
  for (const TensorToSave& tensor : tensors) sha.update(tensor.data, byte_count(tensor));
  // Quotes inside metadata values are escaped, so only the entry itself matches.
  const std::string entry = cat('"', kDigestKey, "\":\"");
  head.replace(head.find(entry) + entry.size(), kSha256HexDigits, sha.finish());
}

}  // namespace

void save_safetensors(const std::string& path, std::vector<TensorToSave> tensors,
                      const std::map<std::string, std::string>& metadata) {
  const std::string label = path_label(path);
  sort_and_check(tensors, label);
  std::string head = file_head(tensors, metadata, label);
  uint64_t total = head.size();
  for (const TensorToSave& tensor : tensors) total += byte_count(tensor);
  AtomicFile file(path, total);
  insert_digest(head, tensors);
  file.write(head.data(), head.size());
  for (const TensorToSave& tensor : tensors) file.write(tensor.data, byte_count(tensor));
  file.commit();
}

}  // namespace ebb
