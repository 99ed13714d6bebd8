// Drawings on paper, as photographed by paper_photo.h.

#include "image/sketch.h"

#include "image/convert.h"
#include "image/paper.h"
#include "testing/catch.h"
#include "tests/image/paper_photo.h"

namespace ebb {
namespace {

using test::PaperPhoto;
using test::photograph_digit;

constexpr int kSide = 28;

PaperPhoto small_photo() {
  PaperPhoto photo;
  photo.width = 1000;
  photo.height = 750;
  photo.line = 4;
  return photo;
}

// Columns and rows of an image that hold something, as [first, last].
struct Extent {
  int left, top, right, bottom;
};
Extent extent(const Image& image) {
  Extent found = {image.width, image.height, -1, -1};
  for (int y = 0; y < image.height; ++y) {
    for (int x = 0; x < image.width; ++x) {
      if (image.pixels[static_cast<size_t>(y) * image.width + x] < 64) continue;
      found = {std::min(found.left, x), std::min(found.top, y), std::max(found.right, x),
               std::max(found.bottom, y)};
    }
  }
  return found;
}

double difference(const Image& a, const Image& b) {
  double sum = 0;
  for (size_t i = 0; i < a.pixels.size(); ++i) sum += std::abs(a.pixels[i] - b.pixels[i]);
  return sum / static_cast<double>(a.pixels.size());
}

TEST_CASE("flattened paper is white in every light, and what is drawn on it is not") {
  const PaperPhoto photo = small_photo();
  const Image flat = flatten_paper(photograph_digit(3, photo));
  REQUIRE(flat.channels == 3);
  REQUIRE(flat.width == 1000);
  int64_t light = 0, dark = 0;
  for (size_t i = 0; i < flat.pixels.size(); i += 3) {
    const int least = std::min({flat.pixels[i], flat.pixels[i + 1], flat.pixels[i + 2]});
    light += least >= 225;
    dark += least < 200;
  }
  const auto pixels = static_cast<double>(flat.pixels.size() / 3);
  CHECK(light / pixels > 0.95);  // the line covers half a percent
  CHECK(dark / pixels > 0.002);
  CHECK(dark / pixels < 0.02);
}

TEST_CASE("flattening takes the color of the light, not that of the drawing") {
  Image image = make_image(300, 200, 3);
  for (int i = 0; i < 300 * 200; ++i) {
    const bool stroke = i / 300 >= 90 && i / 300 < 110 && i % 300 > 50 && i % 300 < 250;
    const double light = 1 - 0.5 * (i % 300) / 300.0;
    const double paper[] = {240, 220, 180}, red[] = {200, 60, 40};
    for (int c = 0; c < 3; ++c) {
      image.pixels[3 * i + c] =
          static_cast<uint8_t>((stroke ? red[c] * paper[c] / 255 : paper[c]) * light);
    }
  }
  const Image flat = flatten_paper(image);
  for (const int x : {80, 220}) {
    const uint8_t* stroke = flat.pixels.data() + 3 * (100 * 300 + x);
    CHECK(std::abs(stroke[0] - 200) < 12);
    CHECK(std::abs(stroke[1] - 60) < 12);
    CHECK(std::abs(stroke[2] - 40) < 12);
    CHECK(flat.pixels[3 * (20 * 300 + x) + 2] > 248);
  }
}

TEST_CASE("a pencilled digit becomes one of MNIST's kind, whatever the light and the pencil") {
  const int digit = GENERATE(3, 7, 8);
  CAPTURE(digit);
  PaperPhoto ideal = small_photo();
  ideal.gradient = ideal.shadow = ideal.noise = ideal.grain = 0;
  ideal.darkness = 0.9;
  const Image wanted = Sketch::find(photograph_digit(digit, ideal))->strokes(kSide, kSide);
  const Extent place = extent(wanted);
  CHECK(std::max(place.right - place.left, place.bottom - place.top) + 1 >= 19);
  CHECK(std::max(place.right - place.left, place.bottom - place.top) + 1 <= 20);
  CHECK(*std::max_element(wanted.pixels.begin(), wanted.pixels.end()) >= 250);
  CHECK(wanted.pixels[0] == 0);
  // Its center of mass is in the middle.
  double mass = 0, x_sum = 0, y_sum = 0;
  for (int i = 0; i < kSide * kSide; ++i) {
    mass += wanted.pixels[i];
    x_sum += wanted.pixels[i] * (i % kSide + 0.5);
    y_sum += wanted.pixels[i] * (i / kSide + 0.5);
  }
  CHECK(std::abs(x_sum / mass - 14) <= 0.51);
  CHECK(std::abs(y_sum / mass - 14) <= 0.51);

  PaperPhoto bad = small_photo();
  PaperPhoto faint = bad;
  faint.line = 2;
  faint.left = 0.65;
  faint.size = 0.35;
  PaperPhoto dark = bad;
  dark.gradient = 0.65;
  dark.shadow = 0.4;
  PaperPhoto marker = bad;
  marker.line = 14;
  marker.darkness = 0.95;
  for (const PaperPhoto& photo : {bad, faint, dark, marker}) {
    const auto sketch = Sketch::find(photograph_digit(digit, photo));
    REQUIRE(sketch);
    CHECK(sketch->is_line_drawing());
    CHECK(difference(sketch->strokes(kSide, kSide), wanted) < 16);  // of another digit: above 18
  }
  const int other = digit == 3 ? 7 : 3;
  CHECK(difference(Sketch::find(photograph_digit(other, ideal))->strokes(kSide, kSide), wanted) >
        18);
}

TEST_CASE("lines one pixel wide in a small image are found") {
  PaperPhoto photo;
  photo.width = 120;
  photo.height = 90;
  photo.line = 1;
  photo.noise = 4;
  const auto sketch = Sketch::find(photograph_digit(7, photo));
  REQUIRE(sketch);
  CHECK(sketch->is_line_drawing());
  const Extent place = extent(sketch->strokes(kSide, kSide));
  CHECK(place.bottom - place.top >= 18);
}

TEST_CASE("blank paper, chalk and a pattern are no drawings on paper") {
  PaperPhoto photo = small_photo();
  photo.darkness = 0;
  const auto blank = Sketch::find(photograph_digit(3, photo));
  CHECK_FALSE((blank && blank->is_line_drawing()));
  photo.darkness = 0.9;
  photo.grain = 0;
  const auto chalk = Sketch::find(invert(photograph_digit(8, photo)));
  CHECK_FALSE((chalk && chalk->is_line_drawing()));
  Image pattern = make_image(200, 200, 1);
  for (int i = 0; i < 200 * 200; ++i) {
    pattern.pixels[i] =
        static_cast<uint8_t>(127 + 100 * std::sin(i % 200 / 9.0) * std::cos(i / 1800.0));
  }
  const auto scene = Sketch::find(pattern);
  CHECK_FALSE((scene && scene->is_line_drawing()));
}

TEST_CASE("dust and what reaches in from the edge are left out") {
  PaperPhoto photo = small_photo();
  const Image clean = photograph_digit(3, photo);
  Image image = clean;
  for (int y = 0; y < 12; ++y) {  // a pen lies at the edge, and a crumb in the corner
    for (int x = 0; x < 300; ++x) {
      for (int c = 0; c < 3; ++c) image.pixels[(static_cast<size_t>(y) * 1000 + x) * 3 + c] = 40;
    }
  }
  for (int y = 700; y < 704; ++y) {
    for (int x = 900; x < 904; ++x) {
      for (int c = 0; c < 3; ++c) image.pixels[(static_cast<size_t>(y) * 1000 + x) * 3 + c] = 50;
    }
  }
  const Image wanted = Sketch::find(clean)->strokes(kSide, kSide);
  const auto sketch = Sketch::find(image);
  REQUIRE(sketch);
  CHECK(difference(sketch->strokes(kSide, kSide), wanted) < 16);
}

TEST_CASE("a drawing for models of color keeps its colors and its proportions") {
  const auto sketch = Sketch::find(photograph_digit(7, small_photo()));
  const Image drawing = sketch->drawing(64, 64);
  REQUIRE(drawing.channels == 3);
  CHECK(drawing.pixels[0] > 235);
  CHECK(*std::min_element(drawing.pixels.begin(), drawing.pixels.end()) < 215);
}

}  // namespace
}  // namespace ebb
