#include "diffusion/compare_layers.h"

#include <cmath>
#include <limits>

#include "testing/catch.h"
#include "testing/contexts.h"
#include "testing/errors.h"
#include "testing/golden.h"
#include "testing/temp_dir.h"
#include "weights/safetensors.h"

namespace ebb {
namespace {

using Catch::Matchers::Contains;

// A golden network (computed by PyTorch) as the two files that a user has.
struct GoldenCase {
  test::TempDir dir;
  std::unique_ptr<Context> context = test::cpu_context();
  Model model;
  std::string reference = dir / "reference.safetensors";
  std::map<std::string, std::vector<float>> values;
  std::vector<TensorToSave> tensors;

  explicit GoldenCase(const std::string& name) {
    const test::Golden golden(name);
    model.network = make_network(golden.model_config(), name);
    for (const ParamSpec& spec : list_params(model.network)) {
      const bool is_statistic = golden.contains("eval.stats." + spec.name);
      model.params[spec.name] =
          golden.param(*context, is_statistic ? "eval.stats." : "param.", spec);
    }
    for (const std::string& input : golden.names_after("input.")) add(golden, "", "input." + input);
    for (const std::string& layer : golden.names_after("eval.")) {
      if (!layer.starts_with("stats.")) add(golden, "eval.", layer);
    }
  }

  void add(const test::Golden& golden, const std::string& prefix, const std::string& name) {
    const Shape shape = golden.shape(prefix + name);
    values[name] = golden.values(prefix + name);
    tensors.push_back({name, StDType::kF32, {shape.begin(), shape.end()}, values[name].data()});
  }

  std::vector<LayerComparison> compare(bool passes = true) {
    save_safetensors(reference, tensors, {});
    const ReferenceFile file(reference);
    return compare_layers(*context, {model.network, model.params},
                          {.model = {}, .reference = file, .passes = passes});
  }
  std::string error() {
    return test::message_of<FormatError>([&] { compare(); });
  }
  TensorToSave& tensor(const std::string& name) {
    for (TensorToSave& tensor : tensors) {
      if (tensor.name == name) return tensor;
    }
    throw Error("no tensor " + name);
  }
};

std::string first_beyond(const std::vector<LayerComparison>& layers, double tolerance = 1e-10) {
  for (const LayerComparison& layer : layers) {
    if (!(layer.nmse <= tolerance)) return layer.name;
  }
  return "";
}

std::vector<std::string> names(const std::vector<LayerComparison>& layers) {
  std::vector<std::string> result;
  for (const LayerComparison& layer : layers) result.push_back(layer.name);
  return result;
}

TEST_CASE("every network agrees with PyTorch in every layer, with and without passes") {
  for (const char* name :
       {"mnist_denoiser", "mnist_time_add", "mnist_time_multiply", "mnist_class", "mnist_judge"}) {
    GoldenCase golden(name);
    for (const bool passes : {true, false}) {
      for (const LayerComparison& layer : golden.compare(passes)) {
        INFO(name << " " << layer.name << " passes " << passes);
        CHECK(layer.nmse < 1e-10);
        CHECK(layer.max_abs_error < 1e-4);
      }
    }
  }
}

TEST_CASE("layers come in the order in which the network computes them") {
  GoldenCase golden("mnist_class");
  CHECK(names(golden.compare()) ==
        std::vector<std::string>{"init_conv", "down1", "down2", "flatten", "unflatten", "time1",
                                 "class1", "up1", "time2", "class2", "up2", "out_conv", "output"});
}

TEST_CASE("a layer is shown in PyTorch's shape") {
  GoldenCase golden("mnist_class");
  const std::vector<LayerComparison> layers = golden.compare();
  CHECK(layers[2].shape == std::vector<uint64_t>{4, 8, 7, 7});
  CHECK(layers[5].shape == std::vector<uint64_t>{4, 8});
}

TEST_CASE("one changed weight shows first in its own layer") {
  const std::vector<std::pair<const char*, const char*>> weights = {
      {"init_conv.conv2.bn.weight", "init_conv"},
      {"down1.block.conv1.conv.weight", "down1"},
      {"unflatten.bn.running_var", "unflatten"},
      {"time1.fc1.weight", "time1"},
      {"class2.fc2.bias", "class2"},
      {"up2.up.conv.weight", "up2"},
      {"out.bias", "output"}};
  for (const auto& [weight, layer] : weights) {
    GoldenCase golden("mnist_class");
    golden.model.params.at(weight).data<float>()[0] += 0.1f;
    INFO(weight);
    CHECK(first_beyond(golden.compare()) == layer);
  }
}

TEST_CASE("errors are measured against the reference") {
  GoldenCase golden("mnist_class");
  std::vector<float>& output = golden.values["output"];
  double power = 0;
  for (float& value : output) power += double{value} * value;
  output[17] += 3;
  const LayerComparison last = golden.compare().back();
  CHECK(last.max_abs_error == Approx(3).epsilon(1e-5));
  const double changed = output[17], before = changed - 3;
  CHECK(last.nmse == Approx(9 / (power - before * before + changed * changed)).epsilon(1e-4));
}

TEST_CASE("NaN on either side is never within the tolerance") {
  GoldenCase reference("mnist_class");
  reference.values["down1"][5] = std::numeric_limits<float>::quiet_NaN();
  CHECK(first_beyond(reference.compare(), 1e10) == "down1");
  GoldenCase model("mnist_class");
  model.model.params.at("out.bias").data<float>()[0] = std::numeric_limits<float>::quiet_NaN();
  const std::vector<LayerComparison> layers = model.compare();
  CHECK(first_beyond(layers, 1e10) == "output");
  CHECK(std::isnan(layers.back().max_abs_error));
}

TEST_CASE("inner modules can be compared too") {
  GoldenCase golden("mnist_class");
  golden.tensor("down1").name = "down1.block";  // which returns the same
  golden.tensor("up1").name = "up1.block.conv2";
  const std::vector<LayerComparison> layers = golden.compare();
  CHECK(names(layers)[1] == "down1.block");
  CHECK(first_beyond(layers) == "");
}

TEST_CASE("a reference that does not go with the model names the tensor") {
  SECTION("an input is missing") {
    GoldenCase golden("mnist_class");
    golden.tensor("input.c").name = "init_conv.conv1";
    CHECK_THAT(golden.error(), Contains("\"input.c\""));
  }
  SECTION("the image is missing") {
    GoldenCase golden("mnist_denoiser");
    golden.tensor("input.x").name = "x";
    CHECK_THAT(golden.error(), Contains("\"input.x\""));
  }
  SECTION("an input is not the model's") {
    GoldenCase golden("mnist_time_add");
    golden.tensor("flatten").name = "input.c";
    CHECK_THAT(golden.error(), Contains("\"input.c\""));
  }
  SECTION("a module is not the model's") {
    GoldenCase golden("mnist_class");
    golden.tensor("flatten").name = "bottleneck";
    golden.tensor("up1").name = "up9";
    CHECK_THAT(golden.error(), Contains("tensors \"bottleneck\", \"up9\" are no modules"));
  }
  SECTION("a shape is another model's") {
    GoldenCase golden("mnist_class");
    golden.tensor("down2").shape = {4, 7, 7, 8};
    CHECK_THAT(golden.error(), Contains("[4, 7, 7, 8]") && Contains("[4, 8, 7, 7]"));
  }
  SECTION("a batch differs from the image's") {
    GoldenCase golden("mnist_class");
    golden.tensor("input.t").shape = {2, 2};
    CHECK_THAT(golden.error(), Contains("\"input.t\""));
  }
  SECTION("a type is not F32") {
    GoldenCase golden("mnist_class");
    golden.tensor("down2").dtype = StDType::kI32;
    CHECK_THAT(golden.error(), Contains("\"down2\"") && Contains("I32"));
  }
  SECTION("a number is no class") {
    test::TempDir dir;
    const std::vector<double> ids{3, 12};
    save_safetensors(dir / "ids", {{"input.c", StDType::kF64, {2}, ids.data()}}, {});
    const ReferenceFile file(dir / "ids");
    const NetworkInput input{"c", {}, InputRole::kCondition, DType::kI32, false, 12};
    CHECK_THAT(
        test::message_of<FormatError>([&] { read_input(*test::cpu_context(), file, input, 2); }),
        Contains("holds 12, expected a number of 0..11"));
  }
  SECTION("there is nothing to compare") {
    GoldenCase golden("mnist_denoiser");
    golden.tensors.resize(1);
    CHECK_THAT(golden.error(), Contains("no tensors but inputs"));
  }
}

}  // namespace
}  // namespace ebb
