#pragma once

#include <zlib.h>

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

// Writes PNG files piece by piece, valid or not, with zlib alone.
namespace ebb::test {

inline std::string big_endian32(uint32_t value) {
  return {static_cast<char>(value >> 24), static_cast<char>(value >> 16),
          static_cast<char>(value >> 8), static_cast<char>(value)};
}

inline std::string png_chunk(const std::string& type, const std::string& data) {
  const std::string body = type + data;
  const auto crc =
      crc32(0, reinterpret_cast<const Bytef*>(body.data()), static_cast<uInt>(body.size()));
  return big_endian32(static_cast<uint32_t>(data.size())) + body +
         big_endian32(static_cast<uint32_t>(crc));
}

inline std::string deflated(const std::string& data) {
  uLongf size = compressBound(static_cast<uLong>(data.size()));
  std::string result(size, '\0');
  compress2(reinterpret_cast<Bytef*>(result.data()), &size,
            reinterpret_cast<const Bytef*>(data.data()), static_cast<uLong>(data.size()), 9);
  result.resize(size);
  return result;
}

inline const std::string kPngSignature = "\x89PNG\r\n\x1a\n";

struct PngSpec {
  uint32_t width = 4;
  uint32_t height = 4;
  int depth = 8;
  int color = 0;
  int interlace = 0;
  std::string before_data;  // chunks between IHDR and IDAT
  std::string after_data;   // chunks between IDAT and IEND
};

inline std::string png_header(const PngSpec& spec) {
  return png_chunk("IHDR", big_endian32(spec.width) + big_endian32(spec.height) +
                               static_cast<char>(spec.depth) + static_cast<char>(spec.color) +
                               std::string(2, '\0') + static_cast<char>(spec.interlace));
}

// A whole file around compressed image data.
inline std::string png_around(const PngSpec& spec, const std::string& idat) {
  return kPngSignature + png_header(spec) + spec.before_data + png_chunk("IDAT", idat) +
         spec.after_data + png_chunk("IEND", "");
}

inline int samples_per_pixel(int color) {
  return color == 2 ? 3 : color == 4 ? 2 : color == 6 ? 4 : 1;
}

// sample(x, y, channel), below 2^depth.
using PngSample = std::function<unsigned(uint32_t, uint32_t, int)>;

// The rows of the sub-image that starts at (x0, y0), unfiltered and packed most significant first.
inline std::string png_rows(const PngSpec& spec, const PngSample& sample, uint32_t x0, uint32_t y0,
                            uint32_t step_x, uint32_t step_y) {
  std::string rows;
  if (x0 >= spec.width) return rows;
  for (uint32_t y = y0; y < spec.height; y += step_y) {
    std::vector<bool> bits;
    for (uint32_t x = x0; x < spec.width; x += step_x) {
      for (int c = 0; c < samples_per_pixel(spec.color); ++c) {
        for (int bit = spec.depth; bit-- > 0;) bits.push_back(sample(x, y, c) >> bit & 1);
      }
    }
    bits.resize((bits.size() + 7) / 8 * 8);
    rows += '\0';  // no filter
    for (size_t i = 0; i < bits.size(); i += 8) {
      int byte = 0;
      for (size_t k = 0; k < 8; ++k) byte = byte << 1 | static_cast<int>(bits[i + k]);
      rows += static_cast<char>(byte);
    }
  }
  return rows;
}

inline std::string make_png(const PngSpec& spec, const PngSample& sample) {
  if (spec.interlace == 0) return png_around(spec, deflated(png_rows(spec, sample, 0, 0, 1, 1)));
  const uint32_t passes[7][4] = {{0, 0, 8, 8}, {4, 0, 8, 8}, {0, 4, 4, 8}, {2, 0, 4, 4},
                                 {0, 2, 2, 4}, {1, 0, 2, 2}, {0, 1, 1, 2}};
  std::string rows;
  for (const auto& p : passes) rows += png_rows(spec, sample, p[0], p[1], p[2], p[3]);
  return png_around(spec, deflated(rows));
}

// Something different in every corner of the range.
inline unsigned test_sample(const PngSpec& spec, uint32_t x, uint32_t y, int channel) {
  return (x * 9241 + y * 30011 + static_cast<unsigned>(channel) * 17389) & ((1u << spec.depth) - 1);
}

}  // namespace ebb::test
