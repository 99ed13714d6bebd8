// The image data of a PNG: how long it must be, and whether it is.
#include <zlib.h>

#include <array>
#include <memory>

#include "base/error.h"
#include "image/png_container.h"

namespace ebb {
namespace {

struct Adam7Pass {
  uint32_t x, y, step_x, step_y;
};
constexpr std::array<Adam7Pass, 7> kAdam7 = {{{0, 0, 8, 8},
                                              {4, 0, 8, 8},
                                              {0, 4, 4, 8},
                                              {2, 0, 4, 4},
                                              {0, 2, 2, 4},
                                              {1, 0, 2, 2},
                                              {0, 1, 1, 2}}};

// Bytes of `height` rows, each with its filter byte.
uint64_t filtered_bytes(const PngHeader& header, uint32_t width, uint32_t height) {
  if (width == 0) return 0;
  return uint64_t{height} * (1 + (uint64_t{width} * header.bits_per_pixel() + 7) / 8);
}

uint64_t filtered_bytes(const PngHeader& header) {
  if (!header.interlaced) return filtered_bytes(header, header.width, header.height);
  const auto samples = [](uint32_t size, uint32_t start, uint32_t step) {
    return size > start ? (size - start - 1) / step + 1 : 0;
  };
  uint64_t total = 0;
  for (const Adam7Pass& pass : kAdam7) {
    total += filtered_bytes(header, samples(header.width, pass.x, pass.step_x),
                            samples(header.height, pass.y, pass.step_y));
  }
  return total;
}

}  // namespace

void check_png_data_size(PngContainer& png, const std::string& label) {
  const uint64_t expected = filtered_bytes(png.header);
  z_stream stream = {};
  EBB_CHECK(inflateInit(&stream) == Z_OK, Error, label, ": zlib cannot start");
  const std::unique_ptr<z_stream, int (*)(z_stream*)> guard(&stream, inflateEnd);

  std::array<uint8_t, 1 << 15> scratch;
  uint64_t total = 0;
  int status = Z_OK;
  bool surplus = false;
  for (std::span<const uint8_t>& data : png.data) {
    stream.next_in = const_cast<uint8_t*>(data.data());
    stream.avail_in = static_cast<uInt>(data.size());
    // The checksum at the end of the stream is only taken in after all output before it, so input
    // that is used up has no output pending.
    while (status == Z_OK && total <= expected && stream.avail_in > 0) {
      stream.next_out = scratch.data();
      stream.avail_out = static_cast<uInt>(scratch.size());
      status = inflate(&stream, Z_NO_FLUSH);
      total += scratch.size() - stream.avail_out;
      EBB_CHECK(status == Z_OK || status == Z_STREAM_END || total > expected, FormatError, label,
                ": the compressed image data is corrupt (",
                stream.msg != nullptr ? stream.msg : "preset dictionary", ").", kPngDamaged);
    }
    surplus = surplus || stream.avail_in > 0;
    data = data.first(data.size() - stream.avail_in);
  }
  EBB_CHECK(total >= expected, FormatError, label, ": image data holds ", total, " of the ",
            expected, " bytes that ", png.header.width, " x ", png.header.height, " pixels need.",
            kPngDamaged);
  if (total > expected) {
    png.warnings.push_back(cat("image data goes on after the ", expected, " bytes that ",
                               png.header.width, " x ", png.header.height, " pixels need"));
    return;
  }
  EBB_CHECK(status == Z_STREAM_END, FormatError, label,
            ": the compressed image data ends before its checksum.", kPngDamaged);
  if (surplus) png.warnings.emplace_back("bytes follow the end of the compressed image data");
}

}  // namespace ebb
