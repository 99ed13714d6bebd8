// Commands as functions: `ebb sample` against the library's pipeline.

#include <filesystem>
#include <sstream>

#include "apps/ebb/commands.h"
#include "base/error.h"
#include "diffusion/model_file.h"
#include "diffusion/pipeline.h"
#include "image/png.h"
#include "testing/catch.h"
#include "testing/contexts.h"
#include "testing/networks.h"
#include "testing/temp_dir.h"

namespace ebb {
namespace {

using Catch::Matchers::Contains;

// A directory with a model in it.
struct Bench {
  test::TempDir directory;
  std::unique_ptr<Context> context = test::cpu_context();
  std::string model = directory / "m.safetensors";

  Bench() {
    const Network network = make_network(test::mnist_config("class", "add", 4), "test");
    save_model(model, network, Objective{}, test::random_params(*context, network, 3), {},
               DType::kF32);
  }

  std::string run(std::vector<std::string> arguments) const {
    std::ostringstream out, err;
    arguments.insert(arguments.begin(), "ebb");
    run_command({.arguments = arguments, .out = out, .err = err, .progress = ProgressMode::kNone});
    CHECK(err.str() == "");
    return out.str();
  }
};

TEST_CASE("the pipeline gives the pixels of ebb sample") {
  const Bench bench;
  struct Setting {
    const char* sampler;
    double scale;
  };
  for (const auto& [sampler, scale] : {Setting{"ddpm", 5}, {"ddim", 2.5}, {"dpm++", 1}}) {
    INFO(sampler);
    const std::string output = bench.directory / "s_%d.png";
    const std::string printed = bench.run(
        {"sample",   "--model", bench.model, "--sampler", sampler, "--steps", "6",  "--cfg-scale",
         cat(scale), "-p",      "7",         "-b",        "3",     "-s",      "11", "--threads",
         "1",        "--scale", "1",         "-o",        output,  "--force"});
    CHECK_THAT(printed, Contains("s_0.png") && Contains("3 images in "));
    const Pipeline pipeline(*bench.context, Model::load(*bench.context, bench.model),
                            {.sampler = sampler, .steps = 6});
    const std::vector<Image> images =
        pipeline.generate({.prompts = {"7"}, .images = 3, .guidance_scale = scale, .seed = 11});
    REQUIRE(images.size() == 3);
    for (size_t k = 0; k < images.size(); ++k) {
      CHECK(read_png(bench.directory / cat("s_", k, ".png")) == images[k]);
    }
  }
}

TEST_CASE("a command as a function throws its errors and prints nothing to the standard streams") {
  const Bench bench;
  CHECK_THROWS_AS(bench.run({"sample", "--model", bench.model, "--class", "12"}), UsageError);
  CHECK_THROWS_AS(bench.run({"sample", "--foo"}), UsageError);
  CHECK_THROWS_AS(bench.run({"info", bench.directory / "none.png"}), IoError);
}

TEST_CASE("the table finds commands by name and by alias") {
  CHECK(find_command("sample")->replayable);
  CHECK_FALSE(find_command("convert")->replayable);
  CHECK(find_command("draw") == find_command("test-image"));
  CHECK(find_command("paint") == nullptr);
}

}  // namespace
}  // namespace ebb
