#include "image/stb_decoder.h"

#include <algorithm>
#include <memory>

#include "base/error.h"
#include "image/byte_reader.h"

// Only the decoders that are used, nothing that opens files, and no assertions: a hostile file must
// not end the program.
#define STBI_ONLY_BMP
#define STBI_ONLY_GIF
#define STBI_ONLY_TGA
#define STBI_NO_STDIO
#define STBI_NO_LINEAR
#define STBI_NO_HDR
#define STBI_NO_SIMD
#define STBI_MAX_DIMENSIONS 16384
#define STBI_ASSERT(condition)
#define STB_IMAGE_STATIC
#define STB_IMAGE_IMPLEMENTATION
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic ignored "-Wsign-compare"
#pragma GCC diagnostic ignored "-Wunused-parameter"
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"
#include <stb/stb_image.h>
#pragma GCC diagnostic pop

namespace ebb {

static_assert(STBI_MAX_DIMENSIONS == kMaxImageSide);

Image decode_with_stb(std::span<const uint8_t> file, const std::string& label, const char* format) {
  int width = 0, height = 0, stored_channels = 0;
  // Four channels whatever is stored: one case instead of four.
  const std::unique_ptr<uint8_t, void (*)(void*)> pixels(
      stbi_load_from_memory(file.data(), static_cast<int>(file.size()), &width, &height,
                            &stored_channels, STBI_rgb_alpha),
      stbi_image_free);
  EBB_CHECK(pixels != nullptr, FormatError, label, ": ", format, " cannot be decoded (",
            stbi_failure_reason(), ").", kImageDamaged);
  const size_t count = static_cast<size_t>(width) * static_cast<size_t>(height);
  const std::span<const uint8_t> rgba(pixels.get(), count * 4);
  bool opaque = true, gray = true;
  for (size_t i = 0; i < rgba.size(); i += 4) {
    opaque = opaque && rgba[i + 3] == 255;
    gray = gray && rgba[i] == rgba[i + 1] && rgba[i] == rgba[i + 2];
  }
  const int channels = !opaque ? 4 : gray ? 1 : 3;
  Image image = make_image(width, height, channels);
  for (size_t i = 0; i < count; ++i) {
    std::copy_n(rgba.begin() + static_cast<int64_t>(4 * i), channels,
                image.pixels.begin() + static_cast<int64_t>(i * static_cast<size_t>(channels)));
  }
  return image;
}

Image without_unused_alpha(const Image& image) {
  if (image.channels != 4) return image;
  for (size_t i = 3; i < image.pixels.size(); i += 4) {
    if (image.pixels[i] != 0) return image;
  }
  Image result = make_image(image.width, image.height, 3);
  for (size_t i = 0; i < result.pixels.size(); ++i) {
    result.pixels[i] = image.pixels[i / 3 * 4 + i % 3];
  }
  return result;
}

}  // namespace ebb
