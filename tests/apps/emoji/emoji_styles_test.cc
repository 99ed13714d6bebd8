#include "apps/emoji/emoji_styles.h"

#include <set>

#include "apps/emoji/emoji_font.h"
#include "base/error.h"
#include "testing/catch.h"

namespace ebb {
namespace {

// A disk of one color on nothing.
Image disk(int side, std::array<uint8_t, 3> color) {
  Image image = make_image(side, side, 4);
  for (int y = 0; y < side; ++y) {
    for (int x = 0; x < side; ++x) {
      const int dx = 2 * x - side + 1, dy = 2 * y - side + 1;
      uint8_t* pixel = image.pixels.data() + 4 * (static_cast<size_t>(y) * side + x);
      std::copy(color.begin(), color.end(), pixel);
      pixel[3] = dx * dx + dy * dy < side * side / 2 ? 255 : 0;
    }
  }
  return image;
}

const uint8_t* pixel(const Image& image, int x, int y) {
  return image.pixels.data() + static_cast<size_t>(image.channels) * (y * image.width + x);
}

constexpr std::array<uint8_t, 3> kRed = {200, 30, 40};

TEST_CASE("every style has the size that is asked for, and the same bytes again", "[emoji]") {
  const Image emoji = disk(136, kRed);
  std::set<std::vector<uint8_t>> different;
  for (const std::string_view style : kEmojiStyles) {
    INFO(style);
    const Image image = draw_in_style(emoji, style, 64, 7);
    CHECK(image.width == 64);
    CHECK(image.height == 64);
    CHECK(image.channels == (style == "photo" || style == "pixel art" ? 4 : 3));
    CHECK(image == draw_in_style(emoji, style, 64, 7));
    different.insert(image.pixels);
  }
  CHECK(different.size() == kEmojiStyles.size());
  CHECK(draw_in_style(emoji, "oil painting", 64, 7) != draw_in_style(emoji, "oil painting", 64, 8));
}

TEST_CASE("colors under transparent pixels do not show", "[emoji]") {
  Image emoji = make_image(8, 8, 4);
  for (size_t p = 0; p < emoji.pixels.size(); p += 4) {
    const bool left = p / 4 % 8 < 4;
    emoji.pixels[p] = left ? 255 : 0;
    emoji.pixels[p + 1] = left ? 0 : 255;  // green, hidden
    emoji.pixels[p + 3] = left ? 255 : 0;
  }
  const Image small = resize_rgba(emoji, 4, 4);
  for (size_t p = 0; p < small.pixels.size(); p += 4) {
    if (small.pixels[p + 3] == 0) continue;
    CHECK(small.pixels[p] >= 254);
    CHECK(small.pixels[p + 1] == 0);
  }
}

TEST_CASE("a lithograph is ink on paper, a sketch is gray on white", "[emoji]") {
  const Image emoji = disk(136, {20, 20, 20});
  const Image print = draw_in_style(emoji, "lithograph", 64, 0);
  CHECK(pixel(print, 32, 32)[0] < 80);
  CHECK(pixel(print, 1, 1)[0] > 220);
  CHECK(pixel(print, 1, 1)[0] > pixel(print, 1, 1)[2]);  // yellowish
  const Image sketch = draw_in_style(disk(136, {250, 250, 250}), "pencil sketch", 64, 0);
  int darkest = 255;
  for (size_t p = 0; p < sketch.pixels.size(); p += 3) {
    CHECK(sketch.pixels[p] == sketch.pixels[p + 2]);
    darkest = std::min<int>(darkest, sketch.pixels[p]);
  }
  CHECK(darkest < 130);                   // the outline
  CHECK(pixel(sketch, 32, 32)[0] > 230);  // nothing to hatch
}

TEST_CASE("halftone dots get denser where it is darker", "[emoji]") {
  const auto ink = [](uint8_t gray) {
    const Image print = draw_in_style(disk(136, {gray, gray, gray}), "lithograph", 64, 0);
    int sum = 0;
    for (int y = 24; y < 40; ++y) {
      for (int x = 24; x < 40; ++x) sum += 255 - pixel(print, x, y)[1];
    }
    return sum;
  };
  CHECK(ink(60) > ink(120));
  CHECK(ink(120) > ink(180));
  CHECK(ink(180) > ink(235));
}

TEST_CASE("pixel art has blocks of one color, all there or not", "[emoji]") {
  const Image art = draw_in_style(disk(136, kRed), "pixel art", 64, 0);
  for (int y = 0; y < 64; ++y) {
    for (int x = 0; x < 64; ++x) {
      const uint8_t* here = pixel(art, x, y);
      const uint8_t* block = pixel(art, x / 4 * 4, y / 4 * 4);
      REQUIRE(std::equal(here, here + 4, block));
      REQUIRE((here[3] == 0 || here[3] == 255));
    }
  }
  CHECK(pixel(art, 32, 32)[0] == 182);  // 200 of 255 in steps of a seventh
}

TEST_CASE("an oil painting keeps edges and smooths what lies between", "[emoji]") {
  const Image painting = draw_in_style(disk(136, kRed), "oil painting", 64, 0);
  CHECK(pixel(painting, 32, 32)[0] > 150);
  CHECK(pixel(painting, 32, 32)[1] < 80);
  CHECK(pixel(painting, 2, 2)[1] > 90);  // the ground
}

TEST_CASE("images without alpha are refused", "[emoji]") {
  CHECK_THROWS_AS(draw_in_style(make_image(8, 8, 3), "photo", 8, 0), ShapeError);
  CHECK_THROWS_AS(draw_in_style(make_image(8, 4, 4), "photo", 8, 0), ShapeError);
}

}  // namespace
}  // namespace ebb
