#include <ebb/context.h>
#include <ebb/image.h>
#include <ebb/model.h>

#include <csignal>

#include "image/png.h"
#include "testing/catch.h"
#include "testing/errors.h"
#include "testing/temp_dir.h"

namespace ebb::api {
namespace {

using Catch::Matchers::Contains;
using test::TempDir;

Image image_of(int width, int height, int channels) {
  Image image{.width = width, .height = height, .channels = channels, .pixels = {}};
  for (int i = 0; i < width * height * channels; ++i) {
    image.pixels.push_back(static_cast<uint8_t>(37 * i));
  }
  return image;
}

TEST_CASE("an image saved and loaded is the same image") {
  const TempDir dir;
  for (const int channels : {1, 3, 4}) {
    const Image image = image_of(5, 3, channels);
    image.save_png(dir / "a.png", /*overwrite=*/true);
    CHECK(Image::load_png(dir / "a.png") == image);
    CHECK(read_png(dir / "a.png").pixels == image.pixels);
  }
}

TEST_CASE("save_png() replaces a file only when it is told to, and checks the pixels") {
  const TempDir dir;
  const Image image = image_of(2, 2, 1);
  image.save_png(dir / "a.png");
  CHECK_THAT(test::message_of<IoError>([&] { image.save_png(dir / "a.png"); }), Contains("a.png"));
  Image broken = image;
  broken.pixels.pop_back();
  CHECK_THAT(test::message_of<ShapeError>([&] { broken.save_png(dir / "b.png"); }),
             Contains("3 bytes of pixels, expected width * height * channels = 4"));
  broken.channels = 2;
  CHECK_THAT(test::message_of<ShapeError>([&] { broken.save_png(dir / "b.png"); }),
             Contains("2 x 2 with 2 channels"));
  CHECK_THAT(test::message_of<IoError>([&] { Image::load_png(dir / "b.png"); }), Contains("b.png"));
}

TEST_CASE("images are resized and made gray") {
  const Image gray = image_of(8, 6, 3).to_gray();
  CHECK((gray.channels == 1 && gray.width == 8 && gray.height == 6));
  const Image small = gray.resized(4, 3);
  CHECK((small.width == 4 && small.height == 3 && small.pixels.size() == 12));
}

TEST_CASE("the library leaves the signals of its process alone") {
  const TempDir dir;
  image_of(2, 2, 1).save_png(dir / "a.png");
  struct sigaction action {};
  REQUIRE(::sigaction(SIGHUP, nullptr, &action) == 0);
  CHECK(action.sa_handler == SIG_DFL);
}

TEST_CASE("contexts say what they are and what is not there") {
  CHECK(make_context({.device = "cpu", .threads = 1}).device() == "cpu");
  CHECK_FALSE(list_devices().empty());
  CHECK_THAT(test::message_of<UsageError>([] { make_context({.device = "toaster"}); }),
             Contains("toaster"));
  CHECK_THAT(test::message_of<UsageError>(
                 [] { make_context({.device = "cpu", .precision = Precision::kBF16}); }),
             Contains("bf16"));
  Context context = make_context({.device = "cpu"});
  const Context moved = std::move(context);
  CHECK_THAT(test::message_of<UsageError>([&] { (void)context.device(); }),  // NOLINT: on purpose
             Contains("moved from"));
}

TEST_CASE("a model tells what it is") {
  const Context context = make_context({.device = "cpu", .threads = 1});
  const Model model = Model::load(context, "mnist-class");
  CHECK(model.objective() == "ddpm");
  CHECK(model.classes() == 10);
  CHECK((model.width() == 28 && model.height() == 28 && model.channels() == 1));
  CHECK_THAT(model.path(), Contains("mnist-class.safetensors"));
  CHECK(model.sha256().size() == 64);
  CHECK(model.metadata().contains("ebb.command"));
  CHECK(model.warnings().empty());
  CHECK_THAT(test::message_of<IoError>([&] { Model::load(context, "no-such-model"); }),
             Contains("no-such-model"));
}

}  // namespace
}  // namespace ebb::api
