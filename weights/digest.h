#pragma once

#include <nettle/sha2.h>

#include <cstdint>
#include <string>

#include "base/file.h"

namespace ebb {

inline constexpr size_t kSha256HexDigits = 64;

// SHA-256 of bytes given in any number of pieces.
class Sha256 {
 public:
  Sha256();
  void update(const void* data, uint64_t bytes);
  void update(const FileReader& file, uint64_t begin, uint64_t end);  // bytes [begin, end)
  std::string finish();  // 64 lower-case hexadecimal digits; starts afresh

 private:
  sha256_ctx context_;
};

std::string sha256_hex(const void* data, uint64_t bytes);
std::string sha256_hex(const FileReader& file);

}  // namespace ebb
