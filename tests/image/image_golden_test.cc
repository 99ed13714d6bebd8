// Images against torchvision and Pillow (tests/golden/image_goldens.py).

#include "diffusion/filter.h"
#include "image/convert.h"
#include "image/jpeg.h"
#include "image/resize.h"
#include "testing/catch.h"
#include "testing/contexts.h"
#include "testing/golden.h"

namespace ebb {
namespace {

Image image_of(const test::Golden& golden, const std::string& name) {
  const Shape shape = golden.shape(name);
  Image image;
  image.height = static_cast<int>(shape[0]);
  image.width = static_cast<int>(shape[1]);
  image.channels = shape.rank() == 3 ? static_cast<int>(shape[2]) : 1;
  image.pixels = golden.bytes(name);
  return image;
}

// Empty when the images are equal, or say how much the worst byte is off.
std::string compare_bytes(const Image& actual, const Image& expected) {
  if (actual.width != expected.width || actual.height != expected.height ||
      actual.channels != expected.channels || actual.pixels.size() != expected.pixels.size()) {
    return cat(actual.width, " x ", actual.height, " x ", actual.channels, ", expected ",
               expected.width, " x ", expected.height, " x ", expected.channels);
  }
  size_t wrong = 0;
  int worst = 0;
  for (size_t i = 0; i < actual.pixels.size(); ++i) {
    const int error = std::abs(int{actual.pixels[i]} - int{expected.pixels[i]});
    wrong += error > 0 ? 1 : 0;
    worst = std::max(worst, error);
  }
  return wrong == 0 ? "" : cat(wrong, " bytes differ, by up to ", worst);
}

// The names that start with `prefix` and end in `suffix`, without both; at least one.
std::vector<std::string> cases(const test::Golden& golden, const std::string& prefix,
                               const std::string& suffix) {
  std::vector<std::string> found;
  for (const std::string& name : golden.names_after(prefix)) {
    if (name.ends_with(suffix)) found.push_back(name.substr(0, name.size() - suffix.size()));
  }
  REQUIRE_FALSE(found.empty());
  return found;
}

TEST_CASE("low_pass is torchvision's gaussian_blur, up to kernels as large as the image") {
  const auto context = test::cpu_context();
  const test::Golden golden("blur");
  for (const std::string& name : cases(golden, "", ".x")) {  // index.kernel.sigma
    CAPTURE(name);
    const std::string kernel = name.substr(3);
    const int64_t taps = std::stoll(kernel);
    const double sigma = std::stod(kernel.substr(kernel.find('.') + 1));
    const Tensor x = golden.activation(*context, name + ".x");
    const Tensor y = FilterRunner(*context, low_pass(taps, sigma)).run(x);
    const Tensor expected = golden.activation(*context, name + ".y");
    // Two sums of `taps` products with weights that sum to 1, of values up to 1.
    const double limit = (2.0 * static_cast<double>(taps) + 4) * test::kEps32;
    CHECK(test::compare(y.to_host(), test::to_double(expected.to_host()), {.absolute = limit}) ==
          "");
  }
}

TEST_CASE("images are resized to the bytes of Pillow's bicubic resize") {
  const test::Golden golden("resize");
  for (const std::string& name : cases(golden, "resize.", ".x")) {
    CAPTURE(name);
    const Image expected = image_of(golden, "resize." + name + ".y");
    CHECK(compare_bytes(resize_bicubic(image_of(golden, "resize." + name + ".x"), expected.width,
                                       expected.height),
                        expected) == "");
  }
}

TEST_CASE("images are cropped to the bytes of torchvision's Resize and CenterCrop") {
  const test::Golden golden("resize");
  for (const std::string& name : cases(golden, "crop.", ".x")) {
    CAPTURE(name);
    const Image expected = image_of(golden, "crop." + name + ".y");
    CHECK(compare_bytes(resize_and_crop(image_of(golden, "crop." + name + ".x"), expected.width,
                                        expected.height),
                        expected) == "");
  }
}

TEST_CASE("masks are scaled to the bytes of Pillow's nearest resize") {
  const test::Golden golden("resize");
  for (const std::string& name : cases(golden, "nearest.", ".x")) {
    CAPTURE(name);
    const Image expected = image_of(golden, "nearest." + name + ".y");
    CHECK(compare_bytes(resize_nearest(image_of(golden, "nearest." + name + ".x"), expected.width,
                                       expected.height),
                        expected) == "");
  }
}

TEST_CASE("gray is Pillow's") {
  const test::Golden golden("resize");
  CHECK(compare_bytes(to_gray(image_of(golden, "grey.x")), image_of(golden, "grey.y")) == "");
}

TEST_CASE("transparency over white and black is Pillow's") {
  const test::Golden golden("resize");
  const Image see_through = image_of(golden, "alpha.x");
  CHECK(compare_bytes(composite(see_through, 255), image_of(golden, "alpha.white")) == "");
  CHECK(compare_bytes(composite(see_through, 0), image_of(golden, "alpha.black")) == "");
}

TEST_CASE("JPEG files decode to the bytes that Pillow gets") {
  const test::Golden golden("jpeg");
  for (const std::string& name : cases(golden, "", ".file")) {
    CAPTURE(name);
    const Image expected = image_of(golden, name + ".pixels");
    CHECK(compare_bytes(decode_jpeg(golden.bytes(name + ".file"), name), expected) == "");
  }
}

}  // namespace
}  // namespace ebb
