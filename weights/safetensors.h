#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/dtype.h"
#include "base/file.h"
#include "weights/non_finite.h"
#include "weights/safetensors_header.h"

namespace ebb {

// A checked safetensors file, open for reading. Opening reads only the header; a tensor's bytes are
// read on request, so a file may be larger than memory. Rules: weights/README.md.
class SafetensorsFile {
 public:
  // FormatError when the file breaks a rule, IoError when it cannot be read.
  static SafetensorsFile open(const std::string& path, const LoadLimits& limits = {});

  const std::string& label() const { return file_.label(); }  // the path, for messages
  const FileReader& file() const { return file_; }
  uint64_t data_start() const { return data_start_; }  // byte of the file where the data begins

  const std::vector<TensorEntry>& entries() const { return header_.entries; }  // by position
  const std::map<std::string, std::string>& metadata() const { return header_.metadata; }
  const TensorEntry* find(std::string_view name) const;  // null when there is none

  // The type to load the tensor as; FormatError for the types ebb does not load.
  DType dtype_of(const TensorEntry& entry) const;

  // Copies the tensor's entry.bytes() bytes to dst and counts the values that are no numbers. They
  // are legal; warn about them with non_finite_warning().
  NonFinite read(const TensorEntry& entry, void* dst) const;

  // Reads the whole file and compares it with the digest in its metadata. True when they agree,
  // false when the file carries no digest, FormatError when a byte differs.
  bool verify_digest() const;

 private:
  explicit SafetensorsFile(FileReader file) : file_(std::move(file)) {}

  FileReader file_;
  SafetensorsHeader header_;
  uint64_t data_start_ = 0;
};

// "<file>: tensor "t" holds 1 NaN and 2 infinite values. ..."
std::string non_finite_warning(const std::string& label, const std::string& tensor,
                               const NonFinite& found);

// A tensor to save: row-major little-endian elements that stay valid during the call.
struct TensorToSave {
  std::string name;
  StDType dtype = StDType::kF32;
  std::vector<uint64_t> shape;
  const void* data = nullptr;
};

// Writes the file through AtomicFile. Tensors are ordered by element size (largest first, so that
// each is aligned to its own), then by name; the same content gives the same bytes. The header is
// padded with spaces to a multiple of 8 bytes and the digest of weights/README.md is added.
void save_safetensors(const std::string& path, std::vector<TensorToSave> tensors,
                      const std::map<std::string, std::string>& metadata);

// Metadata of the digest: SHA-256 of the whole file in which the digest's own 64 digits are '0'.
inline constexpr const char* kDigestKey = "ebb.sha256";
inline constexpr const char* kDigestScopeKey = "ebb.sha256.of";
inline constexpr const char* kDigestScope = "this file with the 64 digits of ebb.sha256 set to 0";

}  // namespace ebb
