// Whole runs of diffusers' pipelines on small models (tests/golden/pipeline_goldens.py), with ebb's
// own noise.

#include <algorithm>
#include <cmath>

#include "diffusion/consistency.h"
#include "diffusion/pipeline.h"
#include "diffusion/prompt_embeddings.h"
#include "diffusion/upscale.h"
#include "testing/catch.h"
#include "testing/contexts.h"
#include "testing/golden.h"

namespace ebb {
namespace {

constexpr uint64_t kSeed = 1;
constexpr int64_t kImages = 2;

std::string directory(const std::string& name) { return "tests/golden/pipelines/" + name; }

// The largest difference, relative where values are large: the assignment's loop keeps no estimate
// in its range, and untrained networks leave it.
double error_of(const std::string& name, const std::vector<float>& values, const Context& context) {
  const std::vector<float> expected = test::Golden("pipelines").activation(context, name).to_host();
  REQUIRE(values.size() == expected.size());
  double largest = 0, scale = 1;
  for (size_t i = 0; i < values.size(); ++i) {
    REQUIRE(std::isfinite(values[i]));
    largest = std::max(largest, std::fabs(double{values[i]} - expected[i]));
    scale = std::max(scale, std::fabs(double{expected[i]}));
  }
  return largest / scale;
}

// A model that reads text, with its prompts.
struct TextModel {
  explicit TextModel(Context& context, const char* file = "embeddings.safetensors")
      : model(Model::load(context, directory("if_1"))) {
    PromptEmbeddings embeddings = read_prompt_embeddings(directory(file));
    model.network = with_text_tokens(model.network, embeddings.tokens);
    conditioner = std::make_shared<EmbeddingConditioner>(context, model.network,
                                                         std::move(embeddings), "--embeddings");
  }

  Model model;
  std::shared_ptr<EmbeddingConditioner> conditioner;
};

GenerateRequest man_with_hat(const TextModel& text) {
  return {.labels = {text.conditioner->find("a man wearing a hat", "-p")},
          .images = kImages,
          .guidance_scale = 7,
          .seed = kSeed};
}

// The library computes in f64; f32 alone is responsible for the rest, which a run amplifies.
constexpr double kTolerance = 1e-4;

TEST_CASE("DeepFloyd IF's first stage runs as diffusers' pipeline and as the assignment's loop") {
  const auto context = test::cpu_context();
  const TextModel text(*context);
  struct Case {
    const char* golden;
    const char* preset;
    int64_t steps;
    const char* negative;
  };
  for (const Case& run :
       {Case{"if_1.course", "", 0, ""}, Case{"if_1.course", "course", 0, ""},
        Case{"if_1.pipeline", "", 10, "a rocket ship"}, Case{"if_1.fast27", "fast27", 0, ""}}) {
    INFO(run.golden << " " << run.preset);
    GenerateRequest request = man_with_hat(text);
    request.negative = text.conditioner->find(run.negative, "--negative-prompt");
    const Pipeline pipeline(
        *context, text.model,
        {.steps = run.steps, .preset = run.preset, .conditioner = text.conditioner});
    const double error = error_of(run.golden, pipeline.generate_values(request), *context);
    CHECK(error < kTolerance);
  }
}

TEST_CASE("prompts saved by torch.save() are those of the safetensors file") {
  const auto context = test::cpu_context();
  const TextModel text(*context), pickled(*context, "prompt_embeds_dict.pth");
  for (const char* prompt : {"", "a man wearing a hat", "a rocket ship  "}) {
    const std::vector<std::string> prompts{prompt};
    CHECK(test::compare_bits(text.conditioner->encode(prompts).begin()->second,
                             pickled.conditioner->encode(prompts).begin()->second) == "");
  }
}

TEST_CASE("a model of classes makes the images of diffusers' loop") {
  const auto context = test::cpu_context();
  const Pipeline pipeline(*context, Model::load(*context, directory("classes")), {.steps = 10});
  const std::vector<float> values =
      pipeline.generate_values({.labels = {3, 11}, .images = kImages, .seed = kSeed});
  CHECK(error_of("classes", values, *context) < kTolerance);
}

TEST_CASE("a network whose times are rows of a table makes the images of diffusers' loop") {
  const auto context = test::cpu_context();
  const Pipeline pipeline(*context, Model::load(*context, directory("learned")), {.steps = 10});
  const std::vector<float> values = pipeline.generate_values({.images = kImages, .seed = kSeed});
  CHECK(error_of("learned", values, *context) < kTolerance);
}

TEST_CASE("images become others as in diffusers' image-to-image pipeline") {
  const auto context = test::cpu_context();
  const TextModel text(*context);
  const Pipeline pipeline(*context, text.model,
                          {.steps = 10, .preset = "pipeline", .conditioner = text.conditioner});
  const SamplingSchedule all = pipeline.schedule();
  GenerateRequest request = man_with_hat(text);
  request.start = test::Golden("pipelines").activation(*context, "image");
  request.schedule = {all.begin() + 3, all.end()};  // strength 0.7
  CHECK(error_of("if_1.image", pipeline.generate_values(request), *context) < kTolerance);
}

TEST_CASE("images are completed as in diffusers' inpainting pipeline") {
  const auto context = test::cpu_context();
  const TextModel text(*context);
  const Pipeline pipeline(*context, text.model,
                          {.steps = 10, .preset = "pipeline", .conditioner = text.conditioner});
  GenerateRequest request = man_with_hat(text);
  request.start = test::Golden("pipelines").activation(*context, "image");
  std::vector<float> mask(static_cast<size_t>(request.start.elements()));
  for (size_t i = 0; i < mask.size(); ++i) mask[i] = i / 3 % 16 >= 8 ? 1.0f : 0.0f;
  request.constraint = std::make_shared<InpaintConstraint>(
      *context, test::tensor_of(*context, request.start.shape(), mask), request.start,
      InpaintConstraint::Known::kClean);
  CHECK(error_of("if_1.inpaint", pipeline.generate_values(request), *context) < kTolerance);
}

TEST_CASE("DeepFloyd IF's second stage enlarges as diffusers' pipeline") {
  const auto context = test::cpu_context();
  TextModel text(*context);
  text.model = Model::load(*context, directory("if_2"));
  text.model.network = with_text_tokens(text.model.network, 5);
  const Pipeline pipeline(
      *context, text.model,
      {.steps = 6, .preset = "pipeline", .enlarges = true, .conditioner = text.conditioner});
  GenerateRequest request = man_with_hat(text);
  request.guidance_scale = 4;
  request.guidance = pipeline.guidance(request);
  const Tensor pixels = test::Golden("pipelines").activation(*context, "image");
  const std::vector<Image> image =
      to_images(pixels.to_host(), {16, 16, 3}, DataRange::kMinusOneToOne);
  const TensorMap low_res = low_res_condition(
      *context, text.model,
      {.image = image.front(), .noise_level = 100, .images = kImages, .seed = kSeed},
      "noise level");
  for (GuidanceTerm& term : request.guidance) {
    term.condition.insert(low_res.begin(), low_res.end());
  }
  CHECK(error_of("if_2.upscaled", pipeline.generate_values(request), *context) < kTolerance);
}

TEST_CASE("a network that is told of no noise enlarges as diffusers' UnCLIPPipeline") {
  const auto context = test::cpu_context();
  const Model model = Model::load(*context, directory("karlo"));
  const Pipeline pipeline(*context, model, {.steps = 7, .preset = "pipeline", .enlarges = true});
  const Tensor pixels = test::Golden("pipelines").activation(*context, "image");
  const TensorMap low_res = low_res_condition(
      *context, model, select_images(*context, pixels, 0, kImages), Tensor(), 0, "noise level");
  const std::vector<float> values = pipeline.generate_values(
      {.images = kImages, .seed = kSeed, .guidance = conditioned(low_res)});
  // At t = 999, where this run starts, the clean image is (x - eps) / sqrt(2.4e-9): rounding counts
  // 20,000 times in the few values that are within -1..1.
  CHECK(error_of("karlo.upscaled", values, *context) < 10 * kTolerance);
}

TEST_CASE(
    "a consistency model makes the images of diffusers' pipeline in one step and in several") {
  const auto context = test::cpu_context();
  const Model model = Model::load(*context, directory("consistency"));
  const auto run = [&](int64_t steps, const SamplingSchedule& schedule) {
    const Pipeline pipeline(*context, model, {.steps = steps});
    return pipeline.generate_values(
        {.labels = {7}, .images = kImages, .seed = kSeed, .schedule = schedule});
  };
  CHECK(error_of("consistency.one", run(0, {}), *context) < kTolerance);
  CHECK(error_of("consistency.five", run(5, {}), *context) < kTolerance);
  const std::vector<int64_t> list{0, 22};
  CHECK(error_of("consistency.list", run(0, consistency_schedule(model.objective, list)),
                 *context) < kTolerance);
  const Pipeline listed(*context, model, {.timesteps = {22, 0}});
  const std::vector<float> values =
      listed.generate_values({.labels = {7}, .images = kImages, .seed = kSeed});
  CHECK(error_of("consistency.list", values, *context) < kTolerance);
}

}  // namespace
}  // namespace ebb
