#include "image/image.h"

#include <limits>

#include "base/error.h"
#include "image/labeled_grid.h"
#include "testing/catch.h"

namespace ebb {
namespace {

using Catch::Matchers::Contains;

TEST_CASE("floats from 0 to 1 are rounded to the nearest level and clamped") {
  const std::vector<float> values = {-0.2f, 0.0f, 0.001f, 0.002f, 0.5f, 0.999f, 1.0f, 7.0f};
  const Image image = image_from_floats(values, 4, 2, 1, DataRange::kZeroToOne);
  CHECK(image.width == 4);
  CHECK(image.height == 2);
  CHECK(image.channels == 1);
  CHECK(image.pixels == std::vector<uint8_t>{0, 0, 0, 1, 128, 255, 255, 255});
}

TEST_CASE("floats from -1 to 1 put zero in the middle") {
  const std::vector<float> values = {-3.0f, -1.0f, -0.5f, 0.0f, 0.5f, 1.0f};
  const Image image = image_from_floats(values, 1, 2, 3, DataRange::kMinusOneToOne);
  CHECK(image.pixels == std::vector<uint8_t>{0, 0, 64, 128, 191, 255});
}

TEST_CASE("every level survives the way to float and back") {
  std::vector<float> unit(256), signed_unit(256);
  for (int i = 0; i < 256; ++i) {
    unit[i] = static_cast<float>(i) / 255.0f;
    signed_unit[i] = unit[i] * 2 - 1;
  }
  const Image a = image_from_floats(unit, 16, 16, 1, DataRange::kZeroToOne);
  const Image b = image_from_floats(signed_unit, 16, 16, 1, DataRange::kMinusOneToOne);
  for (int i = 0; i < 256; ++i) {
    CHECK(a.pixels[i] == i);
    CHECK(b.pixels[i] == i);
  }
}

TEST_CASE("a value that is not finite is an error with its place, not a black pixel") {
  std::vector<float> values(2 * 3 * 3, 0.5f);
  values[3 * 3 + 2 * 3 + 1] = std::numeric_limits<float>::quiet_NaN();
  CHECK_THROWS_AS(image_from_floats(values, 3, 2, 3, DataRange::kZeroToOne), DivergedError);
  CHECK_THROWS_WITH(image_from_floats(values, 3, 2, 3, DataRange::kZeroToOne),
                    Contains("row 1, column 2, channel 1"));
  values[10] = 0;
  values[3 * 3 + 2 * 3 + 1] = std::numeric_limits<float>::infinity();
  CHECK_THROWS_AS(image_from_floats(values, 3, 2, 3, DataRange::kZeroToOne), DivergedError);
}

TEST_CASE("a number of values other than the size is an error") {
  const std::vector<float> values(27);
  CHECK_THROWS_AS(image_from_floats(values, 3, 3, 1, DataRange::kZeroToOne), ShapeError);
  CHECK_THROWS_AS(make_image(0, 3, 1), ShapeError);
  CHECK_THROWS_AS(make_image(3, 3, 2), ShapeError);
}

// Images of one gray each: 10, 20, 30, ...
std::vector<Image> gray_tiles(int count, int width, int height) {
  std::vector<Image> tiles;
  for (int i = 0; i < count; ++i) {
    tiles.push_back(make_image(width, height, 1, static_cast<uint8_t>(10 * (i + 1))));
  }
  return tiles;
}

TEST_CASE("a grid has two black pixels around every image") {
  // torchvision.utils.make_grid of 5 images of 3 x 2 with nrow=3 is 17 wide and 10 high.
  const std::vector<Image> tiles = gray_tiles(5, 3, 2);
  const Image grid = make_grid(tiles, 3);
  REQUIRE(grid.width == 17);
  REQUIRE(grid.height == 10);
  for (int y = 0; y < grid.height; ++y) {
    for (int x = 0; x < grid.width; ++x) {
      const int column = (x - 2) / 5, row = (y - 2) / 4;
      const bool inside = x >= 2 && y >= 2 && (x - 2) % 5 < 3 && (y - 2) % 4 < 2;
      const int index = row * 3 + column;
      const int expected = inside && index < 5 ? 10 * (index + 1) : 0;
      CAPTURE(x, y);
      CHECK(grid.pixels[y * grid.width + x] == expected);
    }
  }
}

TEST_CASE("a grid is no wider than its images and leaves a single one alone") {
  CHECK(make_grid(gray_tiles(2, 3, 2), 8).width == 2 * 5 + 2);
  const std::vector<Image> one = gray_tiles(1, 3, 2);
  CHECK(make_grid(one, 8) == one.front());
}

TEST_CASE("a grid refuses images of different sizes, and none") {
  std::vector<Image> tiles = gray_tiles(2, 3, 2);
  tiles.push_back(make_image(2, 2, 1));
  CHECK_THROWS_WITH(make_grid(tiles, 2), Contains("image 2 is 2 x 2"));
  CHECK_THROWS_AS(make_grid({}, 2), ShapeError);
}

TEST_CASE("nearest upscaling repeats pixels in both directions") {
  const Image image{2, 2, 3, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}};
  const Image big = upscale_nearest(image, 3);
  REQUIRE(big.width == 6);
  REQUIRE(big.height == 6);
  for (int y = 0; y < 6; ++y) {
    for (int x = 0; x < 6; ++x) {
      for (int c = 0; c < 3; ++c) {
        CHECK(big.pixels[(y * 6 + x) * 3 + c] == image.pixels[(y / 3 * 2 + x / 3) * 3 + c]);
      }
    }
  }
  CHECK(upscale_nearest(image, 1) == image);
  CHECK_THROWS_AS(upscale_nearest(image, 0), ShapeError);
}

TEST_CASE("transparency is laid over white") {
  const Image rgba{3, 1, 4, {200, 100, 0, 255, 200, 100, 0, 0, 0, 0, 0, 51}};
  CHECK(to_rgb(rgba).pixels == std::vector<uint8_t>{200, 100, 0, 255, 255, 255, 204, 204, 204});
  CHECK(to_rgb(Image{1, 1, 1, {9}}).pixels == std::vector<uint8_t>{9, 9, 9});
}

TEST_CASE("a labeled grid shows every image and draws text beside, not over, them") {
  const std::vector<Image> tiles = gray_tiles(6, 28, 28);
  const Image plain = make_labeled_grid(tiles, 3, {}, 2);
  const Image labeled =
      make_labeled_grid(tiles, 3, {"sweep", {"0.2", "0.5", "1.0"}, {"noisy", "denoised"}}, 2);
  const auto count = [](const Image& image, int gray) {
    int pixels = 0;
    for (size_t i = 0; i < image.pixels.size(); i += 3) {
      pixels +=
          image.pixels[i] == gray && image.pixels[i + 1] == gray && image.pixels[i + 2] == gray;
    }
    return pixels;
  };
  for (int i = 0; i < 6; ++i) {
    CAPTURE(i);
    CHECK(count(plain, 10 * (i + 1)) == 56 * 56);
    CHECK(count(labeled, 10 * (i + 1)) >= 56 * 56);  // text has grays of its own
  }
  CHECK(labeled.height > plain.height);
  CHECK(labeled.width > plain.width);
  const int white = count(labeled, 255);
  const int outside = labeled.width * labeled.height - 6 * 58 * 58;
  CHECK(white < outside - 100);  // the ink of the labels
  CHECK(count(plain, 255) == plain.width * plain.height - 6 * 58 * 58);
}

TEST_CASE("an enlarged image is taken back, and nothing else") {
  Image image = make_image(3, 2, 3);
  for (size_t i = 0; i < image.pixels.size(); ++i) image.pixels[i] = static_cast<uint8_t>(7 * i);
  for (const int factor : {2, 8}) {
    Image large = upscale_nearest(image, factor);
    CHECK(undo_upscale(large, 3, 2) == image);
    CHECK_FALSE(undo_upscale(large, 2, 3));
    CHECK_FALSE(undo_upscale(large, 6, 4) == image);
    ++large.pixels.back();
    CHECK_FALSE(undo_upscale(large, 3, 2));
  }
  CHECK_FALSE(undo_upscale(image, 3, 2));
  CHECK_FALSE(undo_upscale(make_image(7, 4, 1), 3, 2));
  CHECK_FALSE(undo_upscale(make_image(6, 6, 1), 3, 2));
}

TEST_CASE("labels below the images make a figure taller, groups set its columns apart") {
  const std::vector<Image> tiles = gray_tiles(4, 28, 28);
  const Image plain = make_labeled_grid(tiles, 4, {}, 4);
  const GridLabels seeds{"", {}, {}, {"seed 1", "", "seed 2"}};
  const Image labeled = make_labeled_grid(tiles, 4, seeds, 4);
  CHECK(labeled.width == plain.width);
  CHECK(labeled.height == plain.height + 18);
  const PixelSize size = labeled_grid_size({28, 28}, 4, 1, seeds, 4);
  CHECK(size.width == static_cast<uint64_t>(labeled.width));
  CHECK(size.height == static_cast<uint64_t>(labeled.height));
  GridLabels grouped;
  grouped.group = 2;
  CHECK(make_labeled_grid(tiles, 4, grouped, 4).width == plain.width + 12);
  const GridLabels wide{"", {}, {}, {"a label much wider than the image above it"}};
  CHECK(make_labeled_grid(tiles, 4, wide, 4).width > plain.width + 4 * 100);
}

TEST_CASE("a labeled grid draws a line around a white image") {
  const Image white = make_image(8, 8, 1, 255);
  const Image grid = make_labeled_grid(std::vector<Image>{white}, 1, {}, 1);
  const auto gray = [&](int x, int y) { return grid.pixels[(y * grid.width + x) * 3]; };
  const int left = (grid.width - 8) / 2, top = (grid.height - 8) / 2;
  for (int i = -1; i <= 8; ++i) {
    CHECK(gray(left + i, top - 1) == 153);
    CHECK(gray(left + i, top + 8) == 153);
    CHECK(gray(left - 1, top + i) == 153);
    CHECK(gray(left + 8, top + i) == 153);
  }
  CHECK(gray(left, top) == 255);
  CHECK(gray(left - 2, top) == 255);
}

}  // namespace
}  // namespace ebb
