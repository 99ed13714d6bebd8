#include "image/convert.h"

#include "base/error.h"

namespace ebb {

Image to_gray(const Image& image) {
  if (image.channels == 1) return image;
  Image gray = make_image(image.width, image.height, 1);
  const uint8_t* source = image.pixels.data();
  for (uint8_t& level : gray.pixels) {
    level = static_cast<uint8_t>(
        (19595u * source[0] + 38470u * source[1] + 7471u * source[2] + (1u << 15)) >> 16);
    source += image.channels;
  }
  return gray;
}

Image composite(const Image& image, uint8_t background) {
  if (image.channels != 4) return image;
  Image result = make_image(image.width, image.height, 3);
  const size_t pixels = image.pixels.size() / 4;
  for (size_t i = 0; i < pixels; ++i) {
    const uint8_t* source = image.pixels.data() + 4 * i;
    const int alpha = source[3];
    for (int c = 0; c < 3; ++c) {
      result.pixels[3 * i + c] =
          static_cast<uint8_t>((source[c] * alpha + background * (255 - alpha) + 127) / 255);
    }
  }
  return result;
}

Image invert(const Image& image) {
  Image result = image;
  for (size_t i = 0; i < result.pixels.size(); ++i) {
    const bool alpha = image.channels == 4 && i % 4 == 3;
    if (!alpha) result.pixels[i] = static_cast<uint8_t>(255 - result.pixels[i]);
  }
  return result;
}

Image to_channels(const Image& image, int channels) {
  EBB_CHECK(image.channels != 4 && (channels == 1 || channels == 3), ShapeError,
            "image: ", image.channels, " channels to ", channels, ", expected 1 or 3 to 1 or 3");
  return channels == 1 ? to_gray(image) : to_rgb(image);
}

}  // namespace ebb
