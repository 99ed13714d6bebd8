#include "weights/in_order_reader.h"

#include <algorithm>
#include <vector>

namespace ebb {

void InOrderReader::read_at(const FileReader& file, uint64_t offset, std::byte* dst, uint64_t bytes,
                            const Observer& observe) {
  if (offset > seen_) show_up_to(file, offset, observe);
  file.read_at(offset, dst, bytes);
  const uint64_t known = std::min(bytes, seen_ - offset);
  if (known < bytes) observe(dst + known, bytes - known);
  seen_ += bytes - known;
}

void InOrderReader::read_rest(const FileReader& file, const Observer& observe) {
  if (seen_ < file.size()) show_up_to(file, file.size(), observe);
}

void InOrderReader::show_up_to(const FileReader& file, uint64_t offset, const Observer& observe) {
  constexpr uint64_t kChunkBytes = uint64_t{1} << 20;
  std::vector<std::byte> chunk(std::min(kChunkBytes, offset - seen_));
  while (seen_ < offset) {
    read_at(file, seen_, chunk.data(), std::min<uint64_t>(chunk.size(), offset - seen_), observe);
  }
}

}  // namespace ebb
