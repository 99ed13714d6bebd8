#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>

#include "base/file.h"

namespace ebb {

// Reads a file at any place and shows each of its bytes once, in the file's order, to an observer,
// e.g. to be hashed. Bytes that were passed over come from the file twice.
class InOrderReader {
 public:
  using Observer = std::function<void(const std::byte* data, uint64_t bytes)>;

  explicit InOrderReader(uint64_t begin) : seen_(begin) {}  // the first byte to show

  void read_at(const FileReader& file, uint64_t offset, std::byte* dst, uint64_t bytes,
               const Observer& observe);
  void read_rest(const FileReader& file, const Observer& observe);

 private:
  void show_up_to(const FileReader& file, uint64_t offset, const Observer& observe);

  uint64_t seen_;  // bytes of the file, from its start
};

}  // namespace ebb
