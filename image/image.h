#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "image/data_range.h"

namespace ebb {

// 8-bit image, rows top to bottom, channels interleaved: pixels [height][width][channels].
// channels: 1 gray, 3 RGB, 4 RGBA with straight (not premultiplied) alpha.
struct Image {
  int width = 0;
  int height = 0;
  int channels = 0;
  std::vector<uint8_t> pixels;

  friend bool operator==(const Image&, const Image&) = default;
};

// Limits of the readers, checked before any allocation that depends on them.
inline constexpr uint32_t kMaxImageSide = 16384;
inline constexpr uint64_t kMaxImagePixels = 64ull << 20;

inline bool is_readable_size(uint64_t width, uint64_t height) {
  return width <= kMaxImageSide && height <= kMaxImageSide && width * height <= kMaxImagePixels;
}
// "sides of at most 16384 and at most 67108864 pixels"
std::string readable_sizes();

// FormatError, naming `label` (a path as messages show it), unless an image of this size is read.
void check_readable_size(const std::string& label, uint64_t width, uint64_t height);

// An image with every byte set to `value`. ShapeError for an empty size or a channel count other
// than 1, 3 or 4.
Image make_image(int width, int height, int channels, uint8_t value = 0);

// values: [height][width][channels], the layout of one image of an NHWC tensor. Clamps to the range
// and rounds to the nearest of 256 levels. A value that is not finite throws DivergedError, so that
// a broken sampler never ends in a plain black image.
Image image_from_floats(std::span<const float> values, int width, int height, int channels,
                        DataRange range);

// The inverse: [height][width][channels] floats in the range, exactly what image_from_floats()
// turns back into this image. As torchvision's to_tensor: v / 255, and 2 v / 255 - 1.
std::vector<float> image_to_floats(const Image& image, DataRange range);

// Images of equal size in rows of `columns`, separated and framed by kGridPadding black pixels,
// as torchvision.utils.make_grid places them; a single image comes back unframed, also as there.
inline constexpr int kGridPadding = 2;
Image make_grid(std::span<const Image> images, int columns);

// Pixels of an image to be made, too large for an int until it is checked.
struct PixelSize {
  uint64_t width = 0;
  uint64_t height = 0;
};
// Size of a grid of `count` images of width x height.
PixelSize grid_size(uint64_t width, uint64_t height, uint64_t count, uint64_t columns);

// Every pixel becomes a factor x factor block.
Image upscale_nearest(const Image& image, int factor);

// The width x height image that upscale_nearest() made this one from by a factor of 2 or more;
// nothing when the size or a block of pixels shows that it did not.
std::optional<Image> undo_upscale(const Image& image, int width, int height);

// Gray to RGB, RGBA to RGB over white; RGB unchanged.
Image to_rgb(const Image& image);

// Copies all of `source` to (left, top) of `target`, which must have as many channels and contain
// the rectangle.
void paste(const Image& source, int left, int top, Image& target);

}  // namespace ebb
