#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/dtype.h"
#include "base/file.h"
#include "weights/digest.h"
#include "weights/non_finite.h"
#include "weights/safetensors_header.h"

namespace ebb {

// The two hashes of a file that is read from its start to its end.
struct FileHashes {
  Sha256 file;     // of the bytes as they are
  Sha256 content;  // of the same with the digits of kDigestKey as '0'
};

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

  // The hashes of what is before the data.
  const FileHashes& head_hashes() const { return head_hashes_; }
  // Compares the digest in the metadata with `content`, the hash of the whole file. True when they
  // agree, false when the file carries no digest, FormatError when a byte differs.
  bool check_digest(Sha256 content) const;
  // The same for a file of which nothing else is read.
  bool verify_digest() const;

 private:
  explicit SafetensorsFile(FileReader file) : file_(std::move(file)) {}

  void hash_head(std::string head);

  FileReader file_;
  FileHashes head_hashes_;
  bool has_digits_ = false;  // of a digest, in the header
  SafetensorsHeader header_;
  uint64_t data_start_ = 0;
};

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
