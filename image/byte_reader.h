#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "base/error.h"

namespace ebb {

// Ends the messages about damage that only a new copy can cure.
inline constexpr const char* kImageDamaged = " The file is damaged; get it again.";

// Takes bytes and little-endian numbers off the front of a file; FormatError at its end. `format`
// ("GIF") is for that message.
class ByteReader {
 public:
  ByteReader(std::span<const uint8_t> bytes, const std::string& label, const char* format)
      : bytes_(bytes), label_(label), format_(format) {}

  std::span<const uint8_t> take(uint64_t count) {
    EBB_CHECK(count <= left(), FormatError, label_, ": ends at byte ", bytes_.size(), ", ",
              count - left(), " bytes too early for a ", format_, " image.", kImageDamaged);
    at_ += static_cast<size_t>(count);
    return bytes_.subspan(at_ - static_cast<size_t>(count), static_cast<size_t>(count));
  }
  uint32_t u8() { return take(1)[0]; }
  uint32_t u16() {
    const auto two = take(2);
    return static_cast<uint32_t>(two[0] | two[1] << 8);
  }
  uint32_t u32() {
    const uint32_t low = u16();
    return low | u16() << 16;
  }
  size_t position() const { return at_; }
  uint64_t left() const { return bytes_.size() - at_; }

 private:
  std::span<const uint8_t> bytes_;
  const std::string& label_;
  const char* format_;
  size_t at_ = 0;
};

}  // namespace ebb
