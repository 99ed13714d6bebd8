#pragma once

// jpeglib.h needs size_t and FILE declared before it. clang-format off
#include <jpeglib.h>

#include <cstdio>
// clang-format on

#include <cstdlib>
#include <string>
#include <vector>

#include "image/image.h"

// Writes JPEG files of every kind that a camera or a program may write.
namespace ebb::test {

struct JpegSpec {
  int quality = 95;
  bool progressive = false;
  bool many_scans = false;  // 128 scans of a gray image
  bool arithmetic = false;
  bool subsampled = false;  // color at half the resolution
  std::string app1 = {};    // contents of an APP1 segment, written when not empty
};

// image: 1 channel gray, 3 RGB, 4 taken for CMYK.
inline std::string make_jpeg(const Image& image, const JpegSpec& spec = {}) {
  jpeg_compress_struct encoder = {};
  jpeg_error_mgr errors = {};
  encoder.err = jpeg_std_error(&errors);  // prints and exits: the test fails
  jpeg_create_compress(&encoder);
  unsigned char* buffer = nullptr;
  unsigned long size = 0;
  jpeg_mem_dest(&encoder, &buffer, &size);
  encoder.image_width = static_cast<JDIMENSION>(image.width);
  encoder.image_height = static_cast<JDIMENSION>(image.height);
  encoder.input_components = image.channels;
  encoder.in_color_space = image.channels == 1   ? JCS_GRAYSCALE
                           : image.channels == 3 ? JCS_RGB
                                                 : JCS_CMYK;
  jpeg_set_defaults(&encoder);
  jpeg_set_quality(&encoder, spec.quality, TRUE);
  if (!spec.subsampled) encoder.comp_info[0].h_samp_factor = encoder.comp_info[0].v_samp_factor = 1;
  if (spec.progressive) jpeg_simple_progression(&encoder);
  encoder.arith_code = spec.arithmetic ? TRUE : FALSE;
  std::vector<jpeg_scan_info> scans;
  if (spec.many_scans) {
    // Every coefficient in a scan of its own, its last bit in another.
    for (int low = 1; low >= 0; --low) {
      const int high = low == 1 ? 0 : 1;
      for (int k = 0; k < 64; ++k) scans.push_back({1, {0, 0, 0, 0}, k, k, high, low});
    }
    encoder.scan_info = scans.data();
    encoder.num_scans = static_cast<int>(scans.size());
  }
  jpeg_start_compress(&encoder, TRUE);
  if (!spec.app1.empty()) {
    jpeg_write_marker(&encoder, JPEG_APP0 + 1, reinterpret_cast<const JOCTET*>(spec.app1.data()),
                      static_cast<unsigned>(spec.app1.size()));
  }
  const size_t row_bytes = static_cast<size_t>(image.width) * image.channels;
  while (encoder.next_scanline < encoder.image_height) {
    auto* row = const_cast<JSAMPLE*>(image.pixels.data() + encoder.next_scanline * row_bytes);
    jpeg_write_scanlines(&encoder, &row, 1);
  }
  jpeg_finish_compress(&encoder);
  std::string result(reinterpret_cast<const char*>(buffer), size);
  jpeg_destroy_compress(&encoder);
  std::free(buffer);
  return result;
}

// Position of the first byte behind the two of a marker 0xFF `code`.
inline size_t behind_marker(const std::string& jpeg, int code) {
  const std::string marker = {'\xFF', static_cast<char>(code)};
  const size_t at = jpeg.find(marker);
  return at == std::string::npos ? at : at + 2;
}

// A frame header (baseline: code 0xC0) holds, behind marker and length, precision (1 byte), height
// (2), width (2) and the channels.
inline std::string with_size(std::string jpeg, int code, const std::string& height_and_width) {
  return jpeg.replace(behind_marker(jpeg, code) + 3, 4, height_and_width);
}

// An EXIF block with the orientation in its first directory.
inline std::string exif_block(int orientation, bool big_endian) {
  const auto number = [&](unsigned value, int bytes) {
    std::string text;
    for (int i = 0; i < bytes; ++i) {
      const int shift = 8 * (big_endian ? bytes - 1 - i : i);
      text += static_cast<char>(value >> shift & 255);
    }
    return text;
  };
  const auto entry = [&](unsigned tag, unsigned value) {
    return number(tag, 2) + number(3, 2) + number(1, 4) + number(value, 2) + number(0, 2);
  };
  return std::string("Exif\0\0", 6) + (big_endian ? "MM" : "II") + number(42, 2) + number(8, 4) +
         number(2, 2) + entry(0x0100, 17) + entry(0x0112, static_cast<unsigned>(orientation)) +
         number(0, 4);
}

}  // namespace ebb::test
