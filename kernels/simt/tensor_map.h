#pragma once

// Tensor maps (TMA descriptors), made on the host. All are swizzled by 128 bytes and fill with
// zeros from outside. Base addresses and strides must be multiples of 16 bytes.

#include <cstdint>

namespace ebb::simt {

enum class MapElement { kBf16, kF16 };  // 16 bits

// Pixels of an NHWC tensor as the taps of a convolution meet them. The first pixel of a row of the
// image is at lower_w, the last one at w - 1 + upper_w; a copy takes `channels` of `pixels` pixels.
struct Im2colShape {
  int64_t c, w, h, n;
  int64_t pitch;  // elements from pixel to pixel
  int lower_w = 0, lower_h = 0, upper_w = 0, upper_h = 0;
  int step_w = 1, step_h = 1;
  int channels = 0, pixels = 0;
};

}  // namespace ebb::simt
