#include "image/image.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

#include "base/error.h"
#include "image/convert.h"

namespace ebb {
namespace {

// Index of the first byte of a pixel row.
size_t row_offset(const Image& image, int row) {
  return static_cast<size_t>(row) * image.width * image.channels;
}

void check_equal_sizes(std::span<const Image> images) {
  for (size_t i = 0; i < images.size(); ++i) {
    const Image& first = images.front();
    const Image& image = images[i];
    EBB_CHECK(image.width == first.width && image.height == first.height &&
                  image.channels == first.channels,
              ShapeError, "grid: image ", i, " is ", image.width, " x ", image.height, " x ",
              image.channels, ", image 0 is ", first.width, " x ", first.height, " x ",
              first.channels, ". Images of one grid have equal sizes.");
  }
}

}  // namespace

std::string readable_sizes() {
  return cat("sides of at most ", kMaxImageSide, " and at most ", kMaxImagePixels, " pixels");
}

void check_readable_size(const std::string& label, uint64_t width, uint64_t height) {
  EBB_CHECK(width >= 1 && height >= 1, FormatError, label, ": image of ", width, " x ", height,
            " pixels, expected sides of at least 1. The file is damaged; get it again.");
  EBB_CHECK(is_readable_size(width, height), FormatError, label, ": image of ", width, " x ",
            height, " pixels, expected ", readable_sizes(), ". Scale the image down.");
}

Image make_image(int width, int height, int channels, uint8_t value) {
  EBB_CHECK(width > 0 && height > 0 && (channels == 1 || channels == 3 || channels == 4),
            ShapeError, "image: size ", width, " x ", height, " with ", channels,
            " channels; expected positive sides and 1, 3 or 4 channels");
  const size_t bytes = static_cast<size_t>(width) * height * channels;
  return {width, height, channels, std::vector<uint8_t>(bytes, value)};
}

Image image_from_floats(std::span<const float> values, int width, int height, int channels,
                        DataRange range) {
  Image image = make_image(width, height, channels);
  EBB_CHECK(values.size() == image.pixels.size(), ShapeError, "image: ", values.size(),
            " values for ", width, " x ", height, " x ", channels, " = ", image.pixels.size());
  const float scale = range == DataRange::kZeroToOne ? 255.0f : 127.5f;
  const float shift = range == DataRange::kZeroToOne ? 0.0f : 127.5f;
  for (size_t i = 0; i < values.size(); ++i) {
    EBB_CHECK(std::isfinite(values[i]), DivergedError, "image: value at row ", i / channels / width,
              ", column ", i / channels % width, ", channel ", i % channels, " is ", values[i],
              ", expected a finite number. The model or the sampler diverged.");
    const float level = std::clamp(values[i] * scale + shift, 0.0f, 255.0f);
    image.pixels[i] = static_cast<uint8_t>(std::lround(level));
  }
  return image;
}

std::vector<float> image_to_floats(const Image& image, DataRange range) {
  std::vector<float> values(image.pixels.size());
  for (size_t i = 0; i < values.size(); ++i) {
    const float value = static_cast<float>(image.pixels[i]) / 255.0f;
    values[i] = range == DataRange::kZeroToOne ? value : 2.0f * value - 1.0f;
  }
  return values;
}

PixelSize grid_size(uint64_t width, uint64_t height, uint64_t count, uint64_t columns) {
  if (count == 1) return {width, height};
  const uint64_t used_columns = std::min(columns, count);
  const uint64_t rows = (count + used_columns - 1) / used_columns;
  return {used_columns * (width + kGridPadding) + kGridPadding,
          rows * (height + kGridPadding) + kGridPadding};
}

Image make_grid(std::span<const Image> images, int columns) {
  EBB_CHECK(!images.empty() && columns > 0, ShapeError, "grid: ", images.size(), " images in ",
            columns, " columns; expected at least one of each");
  check_equal_sizes(images);
  if (images.size() == 1) return images.front();

  const int count = static_cast<int>(images.size());
  const int used_columns = std::min(columns, count);
  const int rows = (count + used_columns - 1) / used_columns;
  const int cell_width = images.front().width + kGridPadding;
  const int cell_height = images.front().height + kGridPadding;
  Image grid = make_image(used_columns * cell_width + kGridPadding,
                          rows * cell_height + kGridPadding, images.front().channels);
  for (int i = 0; i < count; ++i) {
    paste(images[i], i % used_columns * cell_width + kGridPadding,
          i / used_columns * cell_height + kGridPadding, grid);
  }
  return grid;
}

Image upscale_nearest(const Image& image, int factor) {
  EBB_CHECK(factor >= 1, ShapeError, "upscale: factor ", factor, ", expected 1 or more");
  Image result = make_image(image.width * factor, image.height * factor, image.channels);
  for (int y = 0; y < result.height; ++y) {
    const uint8_t* source = image.pixels.data() + row_offset(image, y / factor);
    uint8_t* target = result.pixels.data() + row_offset(result, y);
    for (int x = 0; x < result.width; ++x, target += image.channels) {
      std::copy_n(source + x / factor * image.channels, image.channels, target);
    }
  }
  return result;
}

std::optional<Image> undo_upscale(const Image& image, int width, int height) {
  const int factor = image.width / width;
  if (factor < 2 || image.width != width * factor || image.height != height * factor) {
    return std::nullopt;
  }
  Image small = make_image(width, height, image.channels);
  uint8_t* target = small.pixels.data();
  for (int y = 0; y < height; ++y) {
    const uint8_t* source = image.pixels.data() + row_offset(image, y * factor);
    for (int x = 0; x < width; ++x, target += image.channels) {
      std::copy_n(source + static_cast<size_t>(x) * factor * image.channels, image.channels,
                  target);
    }
  }
  if (upscale_nearest(small, factor) != image) return std::nullopt;
  return small;
}

Image to_rgb(const Image& image) {
  if (image.channels == 3) return image;
  if (image.channels == 4) return composite(image, 255);
  Image result = make_image(image.width, image.height, 3);
  for (size_t i = 0; i < result.pixels.size(); ++i) result.pixels[i] = image.pixels[i / 3];
  return result;
}

void paste(const Image& source, int left, int top, Image& target) {
  EBB_CHECK(source.channels == target.channels && left >= 0 && top >= 0 &&
                left + source.width <= target.width && top + source.height <= target.height,
            ShapeError, "paste: ", source.width, " x ", source.height, " x ", source.channels,
            " at (", left, ", ", top, ") does not fit ", target.width, " x ", target.height, " x ",
            target.channels);
  const size_t row_bytes = static_cast<size_t>(source.width) * source.channels;
  for (int y = 0; y < source.height; ++y) {
    std::copy_n(source.pixels.data() + row_offset(source, y), row_bytes,
                target.pixels.data() + row_offset(target, top + y) +
                    static_cast<size_t>(left) * target.channels);
  }
}

}  // namespace ebb
