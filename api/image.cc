#include <ebb/image.h>

#include <utility>

#include "api/impl.h"
#include "base/error.h"
#include "image/convert.h"
#include "image/png.h"
#include "image/resize.h"

namespace ebb::api {

ebb::Image to_internal(const Image& image, const std::string& field) {
  const bool has_size = image.width > 0 && image.height > 0 &&
                        (image.channels == 1 || image.channels == 3 || image.channels == 4);
  EBB_CHECK(has_size, ShapeError, field, ": is ", image.width, " x ", image.height, " with ",
            image.channels, " channels, expected at least one pixel of 1, 3 or 4 channels");
  const size_t bytes = static_cast<size_t>(image.width) * static_cast<size_t>(image.height) *
                       static_cast<size_t>(image.channels);
  EBB_CHECK(image.pixels.size() == bytes, ShapeError, field, ": has ", image.pixels.size(),
            " bytes of pixels, expected width * height * channels = ", bytes);
  return {.width = image.width,
          .height = image.height,
          .channels = image.channels,
          .pixels = image.pixels};
}

Image to_public(ebb::Image image) {
  return {.width = image.width,
          .height = image.height,
          .channels = image.channels,
          .pixels = std::move(image.pixels)};
}

void Image::save_png(const std::string& path, bool overwrite) const {
  write_png(path, to_internal(*this, "image"), {},
            overwrite ? Overwrite::kReplace : Overwrite::kRefuse);
}

Image Image::load_png(const std::string& path) { return to_public(read_png(path)); }

Image Image::resized(int new_width, int new_height) const {
  return to_public(resize_bicubic(to_internal(*this, "image"), new_width, new_height));
}

Image Image::to_gray() const { return to_public(ebb::to_gray(to_internal(*this, "image"))); }

}  // namespace ebb::api
