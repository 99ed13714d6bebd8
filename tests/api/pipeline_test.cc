#include "diffusion/pipeline.h"

#include <ebb/pipeline.h>

#include <algorithm>
#include <array>

#include "diffusion/conditioner.h"
#include "engine/backend.h"
#include "testing/catch.h"
#include "testing/errors.h"

namespace ebb::api {
namespace {

using Catch::Matchers::Contains;

constexpr const char* kModel = "mnist-class";

struct Fixture {
  Context context = make_context({.device = "cpu"});
  Model model = Model::load(context, kModel);
  Pipeline pipeline = Pipeline(context, model, {.sampler = "ddim", .steps = 4});

  std::string usage_error(const GenerateRequest& request) const {
    return test::message_of<UsageError>([&] { (void)pipeline.generate(request); });
  }
};

// The engine's own pipeline.
struct Engine {
  std::unique_ptr<ebb::Context> context = ebb::make_context("cpu", 0);
  ebb::Pipeline pipeline =
      ebb::Pipeline(*context, ebb::Model::load(*context, kModel), {.sampler = "ddim", .steps = 4});
};

void check_equal(const std::vector<Image>& got, const std::vector<ebb::Image>& wanted) {
  REQUIRE(got.size() == wanted.size());
  for (size_t i = 0; i < got.size(); ++i) {
    CHECK((got[i].width == 28 && got[i].height == 28 && got[i].channels == 1));
    CHECK(got[i].pixels == wanted[i].pixels);
  }
}

Image gray_image(uint8_t value) {
  return {.width = 28, .height = 28, .channels = 1, .pixels = std::vector<uint8_t>(784, value)};
}

TEST_CASE("prompts and labels give the images of the engine's pipeline") {
  const Fixture f;
  const Engine engine;
  CHECK(f.pipeline.sampler() == "ddim");
  CHECK(f.pipeline.steps() == 4);
  const auto wanted = engine.pipeline.generate({.labels = {7, 2}, .guidance_scale = 3, .seed = 5});
  check_equal(f.pipeline.generate({.prompts = {"7", "two"}, .guidance_scale = 3, .seed = 5}),
              wanted);
  check_equal(f.pipeline.generate({.labels = {7, 2}, .guidance_scale = 3, .seed = 5}), wanted);
}

TEST_CASE("views give the images of the engine's anagrams") {
  const Fixture f;
  const Engine engine;
  std::vector<ViewedGuidance> parts;
  for (const auto& [view, label] : {std::pair{"identity", 6}, std::pair{"rotate_180", 9}}) {
    const std::array<int64_t, 1> labels = {label};
    parts.push_back({make_view(view, 28, 28, "view"),
                     class_guidance(*engine.context, engine.pipeline.model().network, labels, 5)});
  }
  const auto wanted =
      engine.pipeline.generate({.images = 2, .seed = 3, .guidance = mean_of_views(parts)});
  const std::vector<std::string> views = {"identity", "rotate_180"};
  check_equal(f.pipeline.generate({.prompts = {"6", "9"}, .images = 2, .seed = 3, .views = views}),
              wanted);
}

TEST_CASE("an edit starts from the image with the noise of the last steps") {
  const Fixture f;
  const Engine engine;
  const Image image = gray_image(200);
  const SamplingSchedule all = engine.pipeline.schedule();
  for (const auto& [strength, steps] : {std::pair{0.5, 2}, std::pair{0.01, 1}, std::pair{1.0, 4}}) {
    const std::vector<float> values(784, 200.F / 255);
    const auto wanted =
        engine.pipeline.generate({.labels = {3},
                                  .seed = 1,
                                  .schedule = {all.end() - 1 - steps, all.end()},
                                  .start = Tensor::from_host(*engine.context, {1, 28, 28, 1},
                                                             std::span<const float>(values))});
    check_equal(
        f.pipeline.generate({.labels = {3}, .seed = 1, .image = image, .strength = strength}),
        wanted);
  }
}

TEST_CASE("inpainting keeps the known pixels and makes the others anew") {
  const Fixture f;
  const Image image = gray_image(90);
  Image mask = gray_image(127);
  std::fill(mask.pixels.begin() + 400, mask.pixels.end(), uint8_t{128});
  const Image result =
      f.pipeline.generate({.labels = {3}, .seed = 1, .image = image, .mask = mask}).front();
  CHECK(std::all_of(result.pixels.begin(), result.pixels.begin() + 400,
                    [](uint8_t level) { return level == 90; }));
  CHECK(std::count(result.pixels.begin() + 400, result.pixels.end(), 90) < 100);
}

TEST_CASE("the callback sees every step and stops") {
  const Fixture f;
  const auto undisturbed = f.pipeline.generate({.labels = {7}, .seed = 5});
  std::vector<int64_t> seen;
  std::vector<Image> last;
  const auto images = f.pipeline.generate({.labels = {7}, .seed = 5}, [&](const GenerateStep& s) {
    CHECK((s.steps == 4 && s.first_image == 0));
    seen.push_back(s.step);
    CHECK(s.clean_images().size() == 1);
    last = s.noisy_images();
    return true;
  });
  CHECK(seen == std::vector<int64_t>{0, 1, 2, 3, 4});
  CHECK(images == undisturbed);
  CHECK(last == images);
  CHECK(f.pipeline.generate({.labels = {7}}, [](const GenerateStep& s) { return s.step < 2; })
            .empty());
}

TEST_CASE("what does not fit is named") {
  const Fixture f;
  CHECK_THAT(f.usage_error({.prompts = {"cat"}}), Contains("prompts cat"));
  CHECK_THAT(f.usage_error({.labels = {10}}), Contains("labels 10"));
  CHECK_THAT(f.usage_error({.prompts = {"6"}, .views = {"identity", "flip"}}),
             Contains("views: 2 for 1 prompts"));
  CHECK_THAT(f.usage_error({.prompts = {"6"}, .views = {"mirror"}}), Contains("views mirror"));
  CHECK_THAT(f.usage_error({.prompts = {"6"}, .views = {"negate"}}), Contains("black at -1"));
  CHECK_THAT(f.usage_error({.mask = gray_image(255)}), Contains("mask: given without image"));
  CHECK_THAT(f.usage_error({.image = gray_image(0), .strength = 0}), Contains("strength 0"));
  Image wide = gray_image(0);
  wide.width = 14;
  wide.height = 56;
  CHECK_THAT(f.usage_error({.image = wide}), Contains("image: is 14 x 56 with 1 channels"));
  CHECK_THAT(
      test::message_of<UsageError>([&] { Pipeline(f.context, f.model, {.sampler = "euler"}); }),
      Contains("sampler euler"));
  CHECK_THAT(test::message_of<UsageError>(
                 [&] { Pipeline(f.context, f.model, {.variance = "learned_range"}); }),
             Contains("variance learned_range"));
  const Context other = make_context({.device = "cpu"});
  CHECK_THAT(test::message_of<UsageError>([&] { Pipeline(other, f.model); }),
             Contains("another context"));
}

}  // namespace
}  // namespace ebb::api
