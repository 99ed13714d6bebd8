#include "weights/digest.h"

#include <algorithm>
#include <array>
#include <vector>

namespace ebb {

Sha256::Sha256() { sha256_init(&context_); }

void Sha256::update(const void* data, uint64_t bytes) {
  sha256_update(&context_, bytes, static_cast<const uint8_t*>(data));
}

void Sha256::update(const FileReader& file, uint64_t begin, uint64_t end) {
  constexpr uint64_t kChunkBytes = uint64_t{1} << 20;
  std::vector<std::byte> chunk(std::min(kChunkBytes, end - begin));
  while (begin < end) {
    const uint64_t bytes = std::min(kChunkBytes, end - begin);
    file.read_at(begin, chunk.data(), bytes);
    update(chunk.data(), bytes);
    begin += bytes;
  }
}

std::string Sha256::finish() {
  std::array<uint8_t, SHA256_DIGEST_SIZE> digest{};
  sha256_digest(&context_, digest.size(), digest.data());
  constexpr const char* kDigits = "0123456789abcdef";
  std::string hex;
  for (const uint8_t byte : digest) {
    hex += kDigits[byte >> 4];
    hex += kDigits[byte & 15];
  }
  return hex;
}

std::string sha256_hex(const void* data, uint64_t bytes) {
  Sha256 sha;
  sha.update(data, bytes);
  return sha.finish();
}

std::string sha256_hex(const FileReader& file) {
  Sha256 sha;
  sha.update(file, 0, file.size());
  return sha.finish();
}

}  // namespace ebb
