// Pencilled digits, photographed in bad light, on their way through `ebb edit`.

#include <filesystem>
#include <iostream>
#include <sstream>

#include "apps/ebb/commands.h"
#include "base/error.h"
#include "diffusion/eval/digit_classifier.h"
#include "diffusion/find_model.h"
#include "image/png.h"
#include "testing/catch.h"
#include "testing/contexts.h"
#include "testing/temp_dir.h"
#include "tests/image/paper_photo.h"

namespace ebb {
namespace {

using Catch::Matchers::Contains;

// Pretrained models may not be here, or be the small files that Git LFS leaves in their place.
bool has_models() {
  try {
    for (const char* name : {"mnist-class", "mnist-classifier"}) {
      if (std::filesystem::file_size(find_model(name)) < 10'000) return false;
    }
    return true;
  } catch (const IoError&) {
    return false;
  }
}

void write_ppm(const std::string& path, const Image& image) {
  std::string content = cat("P6\n", image.width, " ", image.height, "\n255\n");
  content.append(image.pixels.begin(), image.pixels.end());
  test::put_file(path, content);
}

std::string run(std::vector<std::string> arguments) {
  std::ostringstream out, err;
  arguments.insert(arguments.begin(), "ebb");
  run_command({.arguments = arguments, .out = out, .err = err, .progress = ProgressMode::kNone});
  return out.str();
}

TEST_CASE("a pencilled 3, 7 and 8 in bad light are read as such after ebb edit") {
  if (!has_models()) {
    std::cout << "skipped: pencilled digits through ebb edit (no pretrained models here)\n";
    return;
  }
  const int digit = GENERATE(3, 7, 8);
  CAPTURE(digit);
  const test::TempDir directory;
  const std::string photo = directory / "pencil.ppm", output = directory / "e_%d.png";
  write_ppm(photo, test::photograph_digit(digit));
  const std::string printed =
      run({"edit", "-i", photo, "--i-start", "15,18,20,22", "-p", cat(digit), "-b", "2", "--scale",
           "1", "--threads", "1", "-o", output});
  CHECK_THAT(printed,
             Contains("pencil.ppm: 4000 x 3000, dark on light: made gray, paper flattened, "
                      "inverted, cropped to the ink, thickened and centered in 28 x 28\n"));
  const auto context = test::cpu_context();
  DigitClassifier classifier = load_classifier(*context);
  std::vector<float> images;
  for (int k = 0; k < 8; ++k) {
    const std::vector<float> values =
        image_to_floats(read_png(directory / cat("e_", k, ".png")), DataRange::kZeroToOne);
    images.insert(images.end(), values.begin(), values.end());
  }
  CHECK(classifier(images).labels == std::vector<int64_t>(8, digit));
}

TEST_CASE("what was done to an input is told in one line, and --sketch decides over drawings") {
  if (!has_models()) return;
  const test::TempDir directory;
  const std::string photo = directory / "small.ppm";
  test::PaperPhoto settings;
  settings.width = 400;
  settings.height = 300;
  settings.line = 3;
  write_ppm(photo, test::photograph_digit(7, settings));
  const auto line = [&](std::vector<std::string> flags) {
    std::vector<std::string> words = {"forward",           "-i",      photo,       "-t", "0", "-o",
                                      directory / "f.png", "--force", "--threads", "1"};
    words.insert(words.end(), flags.begin(), flags.end());
    const std::string printed = run(words);
    const size_t end = printed.find('\n'), start = printed.find("small.ppm: ");
    return start < end ? printed.substr(start, end - start) : "";
  };
  const std::string sketch =
      "small.ppm: 400 x 300, dark on light: made gray, paper flattened, inverted, cropped to the "
      "ink, thickened and centered in 28 x 28";
  CHECK(line({}) == sketch);
  CHECK(line({"--sketch", "on"}) == sketch);
  CHECK(line({"--sketch", "off", "--invert", "yes"}) ==
        "small.ppm: 400 x 300: made gray, inverted, stretched to 28 x 28");
  CHECK(line({"--fit", "crop", "--invert", "no"}) ==
        "small.ppm: 400 x 300: made gray, cropped to the center and resized to 28 x 28");
  CHECK_THROWS_AS(line({"--sketch", "on", "--fit", "crop"}), UsageError);
  CHECK_THROWS_AS(line({"--sketch", "on", "--invert", "no"}), UsageError);
  write_ppm(photo, make_image(100, 100, 3, 200));
  CHECK_THROWS_AS(line({"--sketch", "on"}), UsageError);
  CHECK(line({}) == "small.ppm: 100 x 100, dark on light: inverted, resized to 28 x 28");
}

}  // namespace
}  // namespace ebb
