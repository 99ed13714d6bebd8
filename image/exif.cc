#include "image/exif.h"

#include <algorithm>
#include <cstddef>
#include <utility>

namespace ebb {
namespace {

constexpr int kUpright = 1;

// Reads numbers of either byte order at any offset; 0 beyond the end.
class TiffReader {
 public:
  TiffReader(std::span<const uint8_t> bytes, bool big_endian)
      : bytes_(bytes), big_endian_(big_endian) {}

  bool contains(uint64_t offset, uint64_t count) const { return offset + count <= bytes_.size(); }
  uint32_t u16(uint64_t offset) const { return number(offset, 2); }
  uint32_t u32(uint64_t offset) const { return number(offset, 4); }

 private:
  uint32_t number(uint64_t offset, int count) const {
    if (!contains(offset, static_cast<uint64_t>(count))) return 0;
    uint32_t value = 0;
    for (int i = 0; i < count; ++i) {
      value = value << 8 | bytes_[offset + static_cast<uint64_t>(big_endian_ ? i : count - 1 - i)];
    }
    return value;
  }

  std::span<const uint8_t> bytes_;
  bool big_endian_;
};

}  // namespace

int exif_orientation(std::span<const uint8_t> tiff) {
  constexpr uint32_t kMagic = 42, kOrientationTag = 0x0112, kShort = 3;
  constexpr uint64_t kEntryBytes = 12;
  if (tiff.size() < 8 || tiff[0] != tiff[1] || (tiff[0] != 'I' && tiff[0] != 'M')) return kUpright;
  const TiffReader reader(tiff, tiff[0] == 'M');
  if (reader.u16(2) != kMagic) return kUpright;
  const uint64_t directory = reader.u32(4);
  const uint32_t entries = reader.u16(directory);
  for (uint32_t i = 0; i < entries; ++i) {
    // tag, type, count, value: an orientation is one SHORT, stored in place.
    const uint64_t entry = directory + 2 + i * kEntryBytes;
    if (!reader.contains(entry, kEntryBytes)) break;
    if (reader.u16(entry) != kOrientationTag) continue;
    const uint32_t value = reader.u16(entry + 8);
    const bool valid =
        reader.u16(entry + 2) == kShort && reader.u32(entry + 4) == 1 && value >= 1 && value <= 8;
    return valid ? static_cast<int>(value) : kUpright;
  }
  return kUpright;
}

Image turn_upright(const Image& image, int orientation) {
  if (orientation == kUpright) return image;
  // Source row and column of a pixel: mirrored, and with the axes exchanged from 5 on.
  const bool exchange = orientation >= 5;
  const bool mirror_x = orientation == 2 || orientation == 3 || orientation >= 7;
  const bool mirror_y =
      orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
  Image result = make_image(exchange ? image.height : image.width,
                            exchange ? image.width : image.height, image.channels);
  uint8_t* target = result.pixels.data();
  for (int y = 0; y < result.height; ++y) {
    for (int x = 0; x < result.width; ++x, target += image.channels) {
      int column = x, row = y;
      if (exchange) std::swap(column, row);
      if (mirror_x) column = image.width - 1 - column;
      if (mirror_y) row = image.height - 1 - row;
      const size_t pixel = static_cast<size_t>(row) * image.width + column;
      std::copy_n(image.pixels.data() + pixel * image.channels, image.channels, target);
    }
  }
  return result;
}

}  // namespace ebb
