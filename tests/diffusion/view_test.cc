#include "diffusion/view.h"

#include <numeric>

#include "testing/catch.h"
#include "testing/compare.h"
#include "testing/errors.h"
#include "testing/random_data.h"

namespace ebb {
namespace {

using Catch::Matchers::Contains;

// Images of height x width pixels with these values, row by row, seen through the view.
std::vector<float> seen(const std::string& name, int64_t height, int64_t width,
                        const std::vector<float>& values) {
  return apply_view(make_view(name, height, width, "--view"), values, 1);
}

TEST_CASE("flip turns the image upside down, turns go the way they say") {
  const std::vector<float> tall = {1, 2, 3, 4, 5, 6};  // 3 x 2
  CHECK(seen("identity", 3, 2, tall) == tall);
  CHECK(seen("flip", 3, 2, tall) == std::vector<float>{5, 6, 3, 4, 1, 2});
  CHECK(seen("rotate_180", 3, 2, tall) == std::vector<float>{6, 5, 4, 3, 2, 1});
  CHECK(seen("negate", 3, 2, tall) == std::vector<float>{-1, -2, -3, -4, -5, -6});
  // 1 2    clockwise  3 1
  // 3 4               4 2
  CHECK(seen("rotate_cw", 2, 2, {1, 2, 3, 4}) == std::vector<float>{3, 1, 4, 2});
  CHECK(seen("rotate_ccw", 2, 2, {1, 2, 3, 4}) == std::vector<float>{2, 4, 1, 3});
}

TEST_CASE("skew rolls columns down, the more the farther from the middle") {
  // Shifts of the four columns: -3, -1, 0, 1 pixels down, of 4 rows.
  const std::vector<float> x = {0, 1, 2, 3, 10, 11, 12, 13, 20, 21, 22, 23, 30, 31, 32, 33};
  CHECK(seen("skew", 4, 4, x) ==
        std::vector<float>{30, 11, 2, 33, 0, 21, 12, 3, 10, 31, 22, 13, 20, 1, 32, 23});
}

TEST_CASE("square_hinge turns neighboring squares against each other") {
  std::vector<float> x(36);
  std::iota(x.begin(), x.end(), 0.0f);
  const std::vector<float> y = seen("square_hinge", 6, 6, x);
  // The first square 0 1 / 6 7 goes clockwise, the next, 2 3 / 8 9, counterclockwise.
  CHECK(std::vector<float>{y[0], y[1], y[6], y[7]} == std::vector<float>{6, 0, 7, 1});
  CHECK(std::vector<float>{y[2], y[3], y[8], y[9]} == std::vector<float>{3, 9, 2, 8});
}

TEST_CASE("inner_circle moves the disc and nothing else") {
  for (const int64_t size : {28, 64}) {
    const View view = make_view("inner_circle", size, size, "--view");
    int64_t moved = 0;
    for (int64_t p = 0; p < size * size; ++p) moved += view.source[p] != p ? 1 : 0;
    const double disc = 3.14159265 * 9.0 / 64 * static_cast<double>(size * size);
    CHECK(static_cast<double>(moved) == Approx(disc).epsilon(0.05));
    CHECK(view.source[0] == 0);
    const auto middle = static_cast<int32_t>(size / 2 * size + size / 2);
    CHECK(view.source[middle] == size * size - 1 - middle);
  }
}

TEST_CASE("every view is orthogonal and its inverse shows the image again") {
  CHECK(view_names().size() == 12);
  test::RandomData random(1);
  for (const int64_t size : {28, 64, 31}) {
    const std::vector<float> x = random.normal(2 * size * size * 3),
                             y = random.normal(2 * size * size * 3);
    for (const std::string& name : view_names()) {
      INFO(name << " at " << size);
      const View view = make_view(name, size, size, "--view");
      const std::vector<float> vx = apply_view(view, x, 3), vy = apply_view(view, y, 3);
      // The same products in another order: equal but for the roundings of a double sum.
      const auto product = [](const std::vector<float>& a, const std::vector<float>& b) {
        return std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
      };
      CHECK(product(vx, vy) == Approx(product(x, y)).epsilon(1e-9));
      CHECK(product(vx, vx) == Approx(product(x, x)).epsilon(1e-12));
      CHECK(test::compare_bits(apply_view(inverse(view), vx, 3), x) == "");
      CHECK((name == "identity") == view.is_identity());
      // A prime side has no equal patches: one patch is left where it is.
      const bool moves = name != "identity" && !(name == "patch_permute" && size == 31);
      CHECK((test::compare_bits(vx, x) != "") == moves);
    }
  }
}

TEST_CASE("a permutation of patches keeps the patches, of jigsaw pieces the pieces") {
  std::vector<float> x(28 * 28);
  for (size_t p = 0; p < x.size(); ++p) x[p] = static_cast<float>(p / 28 / 4 * 7 + p % 28 / 4);
  const std::vector<float> patches = seen("patch_permute", 28, 28, x);
  for (size_t p = 0; p < x.size(); ++p) {
    REQUIRE(patches[p] == patches[p / 28 / 4 * 4 * 28 + p % 28 / 4 * 4]);
  }
  for (size_t p = 0; p < x.size(); ++p) x[p] = static_cast<float>(p / 28 / 7 * 4 + p % 28 / 7);
  const std::vector<float> pieces = seen("jigsaw", 28, 28, x);
  for (size_t p = 0; p < x.size(); ++p) {
    REQUIRE(pieces[p] == pieces[p / 28 / 7 * 7 * 28 + p % 28 / 7 * 7]);
  }
}

TEST_CASE("gather indices pick channels and leave variances their sign") {
  const View negate = make_view("negate", 1, 2, "--view");
  CHECK(gather_index(negate, 2, 1, 0, 2, true) == std::vector<int32_t>{~0, ~2});
  CHECK(gather_index(negate, 2, 1, 1, 2, false) == std::vector<int32_t>{1, 3});
  const View flip = make_view("flip", 2, 1, "--view");
  CHECK(gather_index(flip, 2, 2, 0, 4, true) == std::vector<int32_t>{4, 5, 0, 1});
}

TEST_CASE("an image of more numbers than an index holds is refused") {
  const View identity{.name = "identity", .source = {}};
  CHECK_THAT(test::message_of<ShapeError>(
                 [&] { gather_index(identity, int64_t{1} << 30, 3, 0, 3, false); }),
             Contains("an image of 1073741824 x 3 numbers, at most 2147483647"));
}

TEST_CASE("a view that an image does not allow is refused by flag") {
  CHECK_THAT(test::message_of<UsageError>([] { make_view("mirror", 8, 8, "--view"); }),
             Contains("--view mirror") && Contains("rotate_180"));
  CHECK_THAT(test::message_of<UsageError>([] { make_view("rotate_cw", 8, 9, "--view"); }),
             Contains("--view rotate_cw") && Contains("9 x 8"));
  CHECK_THAT(test::message_of<UsageError>([] { make_view("jigsaw", 3, 3, "--view"); }),
             Contains("--view jigsaw"));
}

}  // namespace
}  // namespace ebb
