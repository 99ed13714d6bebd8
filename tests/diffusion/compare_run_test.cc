// References of whole sampling runs: diffusers' pipelines with ebb's noise
// (tests/golden/pipeline_goldens.py), saved as another program would.

#include "diffusion/compare_run.h"

#include <cmath>

#include "diffusion/consistency.h"
#include "diffusion/image_noise.h"
#include "diffusion/prompt_embeddings.h"
#include "nn/param_collector.h"
#include "testing/catch.h"
#include "testing/contexts.h"
#include "testing/errors.h"
#include "testing/golden.h"
#include "testing/temp_dir.h"

namespace ebb {
namespace {

using Catch::Matchers::Contains;

constexpr uint64_t kSeed = 1;
constexpr int64_t kImages = 2;

// [N, H, W, C] -> PyTorch's order.
std::vector<float> to_torch(const Tensor& tensor) {
  const std::vector<float> engine = tensor.to_host();
  std::vector<float> torch(engine.size());
  for (size_t i = 0; i < engine.size(); ++i) {
    torch[static_cast<size_t>(torch_offset(tensor.shape(), static_cast<int64_t>(i)))] = engine[i];
  }
  return torch;
}

class RunCase {
 public:
  RunCase(const std::string& model, const std::string& golden, int64_t side,
          const std::vector<float>& timesteps, int64_t steps)
      : model_("tests/golden/pipelines/" + model), image_({kImages, side, side, 3}) {
    const ImageNoise noise(*context_, kSeed);
    const Tensor x = Tensor::empty(*context_, image_);
    noise.start(x);
    const auto count = static_cast<uint64_t>(side);
    put("input.x_T", {kImages, 3, count, count}, to_torch(x));
    std::vector<float> all;
    for (int64_t k = 0; k < steps; ++k) {
      noise.step(k, x);
      const std::vector<float> one = to_torch(x);
      all.insert(all.end(), one.begin(), one.end());
    }
    put("input.noise", {static_cast<uint64_t>(steps), kImages, 3, count, count}, all);
    put("input.timesteps", {timesteps.size()}, timesteps);
    put("output", {kImages, 3, count, count}, test::Golden("pipelines").values(golden));
  }

  void put(const std::string& name, const std::vector<uint64_t>& shape,
           const std::vector<float>& values) {
    tensors_[name] = {shape, values};
  }
  void drop(const std::string& name) { tensors_.erase(name); }

  // Guidance away from `negative`.
  void put_text(const std::string& negative) {
    const PromptEmbeddings all =
        read_prompt_embeddings("tests/golden/pipelines/embeddings.safetensors");
    const auto row = [&](const std::string& prompt) {
      const auto found = std::find(all.prompts.begin(), all.prompts.end(), prompt);
      return all.values.at(static_cast<size_t>(found - all.prompts.begin()));
    };
    std::vector<float> rows;
    for (const std::string& prompt : {negative, negative, kPrompt, kPrompt}) {
      const std::vector<float> one = row(prompt);
      rows.insert(rows.end(), one.begin(), one.end());
    }
    put("input.encoder_hidden_states",
        {2 * kImages, static_cast<uint64_t>(all.tokens), static_cast<uint64_t>(all.width)}, rows);
  }
  void put_image(int64_t large) {
    const std::vector<float> one = test::Golden("pipelines").values("image");
    std::vector<float> two = one;
    two.insert(two.end(), one.begin(), one.end());
    put("input.image", {kImages, 3, 16, 16}, two);
    const Tensor eps = Tensor::empty(*context_, {kImages, large, large, 3});
    ImageNoise(*context_, kSeed).reference(0, eps);
    const auto side = static_cast<uint64_t>(large);
    put("input.upscale_noise", {kImages, 3, side, side}, to_torch(eps));
  }

  std::vector<LayerComparison> compare(const std::string& settings = "{}") {
    std::vector<TensorToSave> list;
    for (const auto& [name, tensor] : tensors_) {
      list.push_back({name, StDType::kF32, tensor.shape, tensor.values.data()});
    }
    save_safetensors(dir_ / "run.safetensors", list, {{"reference", settings}});
    const ReferenceFile file(dir_ / "run.safetensors");
    REQUIRE(std::string(reference_kind(file).part) == "state");
    return reference_kind(file).compare(*context_, {.model = model_, .reference = file}).layers;
  }
  std::string error(const std::string& settings = "{}") {
    return test::message_of<FormatError>([&] { compare(settings); });
  }

 private:
  struct Stored {
    std::vector<uint64_t> shape;
    std::vector<float> values;
  };
  const std::string kPrompt = "a man wearing a hat";

  std::string model_;
  Shape image_;
  std::unique_ptr<Context> context_ = test::cpu_context();
  test::TempDir dir_;
  std::map<std::string, Stored> tensors_;
};

void check_output(const std::vector<LayerComparison>& states) {
  REQUIRE(states.size() == 1);
  CHECK(states.front().name == "output");
  CHECK(run_limits(Precision::kF32).accept(states.front()));
}

std::vector<float> every(int64_t first, int64_t stride) {
  std::vector<float> list;
  for (int64_t t = first; t >= 0; t -= stride) list.push_back(static_cast<float>(t));
  return list;
}

constexpr const char* kGuided = R"({"mode": "pipeline", "guidance_scale": 7.0})";

TEST_CASE("runs of DeepFloyd IF's first stage agree with their saved noise") {
  SECTION("the assignment's loop") {
    RunCase run("if_1", "if_1.course", 16, every(990, 30), 33);
    run.put_text("");
    check_output(run.compare(R"({"mode": "course", "guidance_scale": 7})"));
    CHECK_FALSE(run_limits(Precision::kF32).accept(run.compare(kGuided).front()));
  }
  SECTION("the pipeline") {
    RunCase run("if_1", "if_1.pipeline", 16, every(900, 100), 10);
    run.put_text("A rocket ship");
    check_output(run.compare(kGuided));
    check_output(run.compare(R"({"guidance_scale": 7})"));
    CHECK_FALSE(
        run_limits(Precision::kF32).accept(run.compare(R"({"guidance_scale": 6})").front()));
  }
}

TEST_CASE("a run of DeepFloyd IF's second stage agrees with its saved noise") {
  RunCase run("if_2", "if_2.upscaled", 32, {830, 664, 498, 332, 166, 0}, 6);
  run.put_text("");
  run.put_image(32);
  check_output(run.compare(R"({"guidance_scale": 4, "noise_level": 100})"));
  CHECK_FALSE(run_limits(Precision::kF32)
                  .accept(run.compare(R"({"guidance_scale": 4, "noise_level": 90})").front()));
  run.drop("input.upscale_noise");
  CHECK_THAT(run.error(R"({"guidance_scale": 4})"), Contains("no tensor \"input.upscale_noise\""));
}

TEST_CASE("runs of models of classes and of consistency models agree") {
  RunCase classes("classes", "classes", 8, every(900, 100), 10);
  classes.put("input.class_labels", {2}, {3, 11});
  check_output(classes.compare());
  RunCase list("consistency", "consistency.list", 8, {22, 0}, 2);
  list.put("input.class_labels", {2}, {7, 7});
  check_output(list.compare());
  std::vector<float> times;  // as the network sees them
  for (const int64_t index : {0, 22}) {
    times.push_back(
        static_cast<float>(consistency_level({}, static_cast<double>(index) / 39).time));
  }
  list.put("input.timesteps", {2}, times);
  check_output(list.compare());
  RunCase one("consistency", "consistency.one", 8, {0}, 1);
  one.put("input.class_labels", {2}, {7, 7});
  one.drop("input.noise");
  check_output(one.compare());
}

TEST_CASE("states are compared after each step, and the first that differs is told") {
  RunCase run("classes", "classes", 8, every(900, 100), 10);
  run.put("input.class_labels", {2}, {3, 11});
  const std::vector<float> nothing(2 * 3 * 8 * 8, 0);
  run.put("x.0", {2, 3, 8, 8}, nothing);
  run.put("x.9", {2, 3, 8, 8}, test::Golden("pipelines").values("classes"));
  const std::vector<LayerComparison> states = run.compare();
  REQUIRE(states.size() == 3);
  CHECK(states[0].name == "x.0");
  CHECK(states[0].max_abs_error > 0.1);
  CHECK(states[1].name == "x.9");
  CHECK(states[1].max_abs_error == states[2].max_abs_error);
  CHECK(run_limits(Precision::kF32).accept(states[2]));
}

TEST_CASE("a list of timesteps that ends above 0 ends with noise, as in diffusers") {
  RunCase run("if_1", "if_1.pipeline", 16, {900, 500}, 2);
  run.put_text("");
  const double with_noise = run.compare().front().max_abs_error;
  run.put("input.noise", {2, 2, 3, 16, 16}, std::vector<float>(2 * 2 * 768, 0));
  CHECK(run.compare().front().max_abs_error != with_noise);
  RunCase ends("if_1", "if_1.pipeline", 16, {0}, 1);
  ends.put_text("");
  const double without = ends.compare().front().max_abs_error;
  ends.drop("input.noise");
  CHECK(ends.compare().front().max_abs_error == without);
  run.drop("input.noise");
  CHECK_THAT(run.error(), Contains("no noise for step 0"));
}

TEST_CASE("a reference that does not go with the run names what is wrong") {
  RunCase run("classes", "classes", 8, every(900, 100), 10);
  run.put("input.class_labels", {2}, {3, 11});
  SECTION("timesteps ascend") {
    run.put("input.timesteps", {2}, {0, 500});
    CHECK_THAT(run.error(), Contains("goes from 0 to 500"));
  }
  SECTION("a timestep is not the model's") {
    run.put("input.timesteps", {2}, {1000, 500});
    CHECK_THAT(run.error(), Contains("holds 1000, expected timesteps of 0..999"));
    run.put("input.timesteps", {2}, {700.5, 500});
    CHECK_THAT(run.error(), Contains("holds 700.5"));
  }
  SECTION("the mode is not known") {
    CHECK_THAT(run.error(R"({"mode": "ddim"})"), Contains("\"ddim\", expected pipeline, course"));
    CHECK_THAT(run.error("[]"), Contains("expected a JSON object"));
  }
  SECTION("states are not the run's") {
    run.put("x.10", {2, 3, 8, 8}, std::vector<float>(384, 0));
    run.put("y", {1}, {0});
    CHECK_THAT(run.error(), Contains("\"x.10\", \"y\"") && Contains("x.0 to x.9 and output"));
  }
  SECTION("an input is not the run's") {
    run.put("input.sample", {1}, {0});
    CHECK_THAT(run.error(), Contains("\"input.sample\" is no input"));
  }
  SECTION("rows do not fit the images") {
    run.put("input.class_labels", {3}, {3, 11, 1});
    CHECK_THAT(run.error(), Contains("expected 2 or 4 rows for 2 images"));
  }
  SECTION("a class is not the model's") {
    run.put("input.class_labels", {2}, {3, 12});
    CHECK_THAT(run.error(), Contains("holds 12"));
  }
  SECTION("the noise has another size") {
    run.put("input.noise", {2, 3, 8, 8}, std::vector<float>(384, 0));
    CHECK_THAT(run.error(), Contains("\"input.noise\" is [2, 3, 8, 8]"));
  }
  SECTION("there is nothing to compare") {
    run.drop("output");
    CHECK_THAT(run.error(), Contains("no tensors but inputs"));
  }
}

}  // namespace
}  // namespace ebb
