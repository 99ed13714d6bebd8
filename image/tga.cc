// TGA (Truevision, version 2.0 of the specification, 1989): checked here, decoded by stb_image.
#include "base/error.h"
#include "image/byte_reader.h"
#include "image/exif.h"
#include "image/raster_formats.h"
#include "image/stb_decoder.h"

namespace ebb {
namespace {

// Values of the field "image type"; kRunLength is added to each.
constexpr uint32_t kColorMapped = 1, kTrueColor = 2, kGray = 3, kRunLength = 8;

struct TgaHeader {
  uint32_t id_bytes = 0, map_entries = 0, map_bits = 0;
  uint32_t type = 0;
  uint32_t width = 0, height = 0, bits = 0;
  uint32_t descriptor = 0;

  uint32_t kind() const { return type & ~kRunLength; }
  bool is_right_to_left() const { return (descriptor & 0x10) != 0; }
};

bool is_supported(const TgaHeader& header) {
  const uint32_t bits = header.bits, map_bits = header.map_bits;
  switch (header.kind()) {
    case kColorMapped:
      return bits == 8 && header.map_entries > 0 &&
             (map_bits == 15 || map_bits == 16 || map_bits == 24 || map_bits == 32);
    case kTrueColor:
      return header.map_entries == 0 && (bits == 15 || bits == 16 || bits == 24 || bits == 32);
    case kGray:
      return header.map_entries == 0 && (bits == 8 || bits == 16);
    default:
      return false;
  }
}

// The image data must be complete: stb_image would go on with black.
void check_data(ByteReader reader, const TgaHeader& header) {
  const uint64_t pixel_bytes = (header.bits + 7) / 8;
  const uint64_t pixels = uint64_t{header.width} * header.height;
  if (header.type == header.kind()) {
    reader.take(pixels * pixel_bytes);
    return;
  }
  for (uint64_t done = 0; done < pixels;) {
    const uint32_t packet = reader.u8();
    const uint64_t count = (packet & 0x7F) + 1;
    reader.take((packet & 0x80) != 0 ? pixel_bytes : count * pixel_bytes);
    done += count;
  }
}

TgaHeader parse(std::span<const uint8_t> file, const std::string& label) {
  ByteReader reader(file, label, "TGA");
  TgaHeader header;
  header.id_bytes = reader.u8();
  const uint32_t map_type = reader.u8();
  header.type = reader.u8();
  const uint32_t map_start = reader.u16();
  header.map_entries = reader.u16();
  header.map_bits = reader.u8();
  reader.take(4);  // place on a screen
  header.width = reader.u16();
  header.height = reader.u16();
  header.bits = reader.u8();
  header.descriptor = reader.u8();
  check_readable_size(label, header.width, header.height);
  if (map_type == 0) header.map_entries = 0;
  EBB_CHECK(map_type <= 1 && is_supported(header) && (header.map_entries == 0 || map_start == 0),
            FormatError, label, ": TGA of type ", header.type, " with ", header.bits,
            " bits a pixel and ", header.map_entries, " colors of ", header.map_bits,
            " bits, expected gray, color, or a map of colors for 8 bits. Save it again as PNG.");
  reader.take(header.id_bytes);
  reader.take(uint64_t{header.map_entries} * ((header.map_bits + 7) / 8));
  check_data(reader, header);
  return header;
}

}  // namespace

RasterInfo read_tga_info(std::span<const uint8_t> file, const std::string& label) {
  const TgaHeader header = parse(file, label);
  return {static_cast<int>(header.width), static_cast<int>(header.height),
          cat(header.bits, "-bit ",
              header.kind() == kGray          ? "gray"
              : header.kind() == kColorMapped ? "palette"
                                              : "color")};
}

Image decode_tga(std::span<const uint8_t> file, const std::string& label) {
  const TgaHeader header = parse(file, label);
  const Image image = without_unused_alpha(decode_with_stb(file, label, "TGA"));
  constexpr int kMirrored = 2;  // of EXIF: what stb_image leaves as it is stored
  return header.is_right_to_left() ? turn_upright(image, kMirrored) : image;
}

}  // namespace ebb
