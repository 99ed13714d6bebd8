// References of diffusers' UNets, which diffusers computed (tests/golden/diffusers_goldens.py).

#include <cmath>
#include <filesystem>

#include "base/json.h"
#include "diffusion/compare_layers.h"
#include "testing/catch.h"
#include "testing/contexts.h"
#include "testing/errors.h"
#include "testing/temp_dir.h"
#include "testing/unet_golden.h"

namespace ebb {
namespace {

using Catch::Matchers::Contains;

// A golden UNet as a directory of diffusers and a reference of every module.
class UnetCase {
 public:
  explicit UnetCase(const std::string& name)
      : golden_("diffusers_" + name), network_(make_network(golden_.model_config(), name)) {
    std::filesystem::create_directory(dir_ / "unet");
    test::put_file(dir_ / "unet/config.json", golden_.model_config());
    for (const std::string& param : golden_.names_after("param.")) params_[param] = {};
    for (auto& [param, tensor] : params_) tensor = read("param." + param);
    save("unet/diffusion_pytorch_model.safetensors", params_);
    for (const std::string& stored : golden_.names_after("")) {
      const bool other = stored.starts_with("param.") || stored.starts_with("adam64.");
      if (!other && stored != "target") tensors_[stored] = read(stored);
    }
  }

  struct Stored {
    StDType dtype = StDType::kF32;
    std::vector<uint64_t> shape;
    std::vector<float> values;
    std::vector<int32_t> integers;
  };

  std::vector<LayerComparison> compare(bool passes = true) {
    save("reference.safetensors", tensors_);
    const ReferenceFile file(dir_ / "reference.safetensors");
    CHECK(std::string(reference_kind(file).part) == "layer");
    const auto context = test::cpu_context();
    return reference_kind(file)
        .compare(*context, {.model = dir_ / "unet", .reference = file, .passes = passes})
        .layers;
  }
  std::string error() {
    return test::message_of<FormatError>([&] { compare(); });
  }
  Stored& tensor(const std::string& name) { return tensors_.at(name); }
  void rename(const std::string& name, const std::string& other) {
    tensors_[other] = std::move(tensors_.at(name));
    tensors_.erase(name);
  }
  void change_weight(const std::string& name) {
    params_.at(name).values.front() += 1;
    save("unet/diffusion_pytorch_model.safetensors", params_);
  }

 private:
  Stored read(const std::string& name) {
    const Shape shape = golden_.shape(name);
    Stored stored{.shape = {shape.begin(), shape.end()}, .values = {}, .integers = {}};
    const bool is_id = name == "input.class_labels" || name == "input.timestep";
    for (const NetworkInput& input : network_.inputs) {
      if (is_id && name == "input." + input.name && input.dtype == DType::kI32) {
        stored.dtype = StDType::kI32;
      }
    }
    if (stored.dtype == StDType::kI32) {
      stored.integers = golden_.integers(name);
    } else {
      stored.values = golden_.values(name);
    }
    return stored;
  }
  void save(const std::string& name, const std::map<std::string, Stored>& tensors) {
    std::vector<TensorToSave> list;
    for (const auto& [tensor, stored] : tensors) {
      const bool is_id = stored.dtype == StDType::kI32;
      list.push_back(
          {tensor, stored.dtype, stored.shape,
           is_id ? static_cast<const void*>(stored.integers.data()) : stored.values.data()});
    }
    save_safetensors(dir_ / name, list, {});
  }

  test::TempDir dir_;
  test::Golden golden_;
  Network network_;
  std::map<std::string, Stored> params_, tensors_;
};

std::string first_beyond(const std::vector<LayerComparison>& layers, const CompareLimits& limits) {
  for (const LayerComparison& layer : layers) {
    if (!limits.accept(layer)) return layer.name;
  }
  return "";
}

TEST_CASE("every module of diffusers' UNets agrees, in directories as diffusers saves them") {
  for (const std::string& name : test::unet_goldens()) {
    UnetCase unet(name);
    for (const bool passes : {true, false}) {
      INFO(name << " passes " << passes);
      const std::vector<LayerComparison> layers = unet.compare(passes);
      CHECK(layers.back().name == "output");
      CHECK(first_beyond(layers, {.max_error = 1e-5}) == "");
      CHECK(first_beyond(layers, unet_limits(Precision::kF32)) == "");
    }
  }
}

TEST_CASE("a changed weight of a UNet shows first in its own module") {
  const std::vector<std::pair<const char*, const char*>> weights = {
      {"time_embedding.linear_2.bias", "time_embedding"},
      {"encoder_hid_proj.bias", "encoder_hid_proj"},
      {"add_embedding.pool.q_proj.weight", "add_embedding.pool"},
      {"add_embedding.proj.bias", "add_embedding"},
      {"down_blocks.0.resnets.0.conv1.weight", "down_blocks.0.resnets.0"},
      {"down_blocks.0.downsamplers.0.conv2.weight", "down_blocks.0.downsamplers.0"},
      {"down_blocks.1.attentions.0.add_k_proj.weight", "down_blocks.1.attentions.0"},
      {"mid_block.attentions.0.to_out.0.bias", "mid_block.attentions.0"},
      {"up_blocks.0.resnets.1.conv_shortcut.bias", "up_blocks.0.resnets.1"},
      {"conv_norm_out.weight", "conv_norm_out"},
      {"conv_out.bias", "conv_out"}};
  for (const auto& [weight, module] : weights) {
    UnetCase unet("if_stage_1");
    unet.change_weight(weight);
    INFO(weight);
    CHECK(first_beyond(unet.compare(), unet_limits(Precision::kF32)) == module);
  }
}

TEST_CASE("one time may stand for all images, and integers for numbers") {
  UnetCase unet("ddpm");
  const std::vector<LayerComparison> before = unet.compare();
  UnetCase::Stored& time = unet.tensor("input.timestep");
  time.values = {time.values[0], time.values[0]};
  const std::vector<LayerComparison> same = unet.compare();
  time.values.resize(1);
  time.shape = {1};
  const std::vector<LayerComparison> one = unet.compare();
  time.dtype = StDType::kI32;
  time.integers = {static_cast<int32_t>(time.values[0])};
  const bool is_whole = std::floor(time.values[0]) == time.values[0];
  const std::vector<LayerComparison> integer = unet.compare();
  REQUIRE(same.size() == one.size());
  for (size_t i = 0; i < same.size(); ++i) {
    CHECK(same[i].max_abs_error == one[i].max_abs_error);
    if (is_whole) CHECK(same[i].max_abs_error == integer[i].max_abs_error);
  }
  CHECK(before.back().max_abs_error != one.back().max_abs_error);
}

TEST_CASE("large values are judged by their size") {
  LayerComparison layer{.name = "x", .shape = {1}, .nmse = 1e-12, .max_abs_error = 3};
  const CompareLimits limits{.max_error = 1e-4};
  CHECK_FALSE(limits.accept(layer));
  layer.max_reference = 9e4;
  CHECK(limits.accept(layer));
  layer.max_abs_error = 9.1;
  CHECK_FALSE(limits.accept(layer));
  layer = {.name = "x", .shape = {1}, .nmse = 1e-12, .max_abs_error = 1e-5, .max_reference = 1e-3};
  CHECK(limits.accept(layer));
  layer.nmse = NAN;
  CHECK_FALSE(limits.accept(layer));
  CHECK_FALSE(CompareLimits{.nmse = 1e10}.accept(layer));
}

TEST_CASE("a reference that does not go with the UNet names what is wrong") {
  UnetCase unet("if_stage_1");
  SECTION("modules that it does not have are listed") {
    unet.rename("conv_in", "conv_first");
    unet.rename("down_blocks.1", "down_blocks.7");
    CHECK_THAT(unet.error(),
               Contains("tensors \"conv_first\", \"down_blocks.7\" are no modules of the model"));
  }
  SECTION("an input is missing") {
    unet.rename("input.encoder_hidden_states", "conv_in");
    CHECK_THAT(unet.error(), Contains("no tensor \"input.encoder_hidden_states\""));
  }
  SECTION("an input is not the network's") {
    unet.rename("mid_block", "input.class_labels");
    CHECK_THAT(unet.error(), Contains("\"input.class_labels\" is no input of the model"));
  }
  SECTION("images are no images") {
    unet.tensor("input.sample").shape = {2, 192};
    CHECK_THAT(unet.error(), Contains("[2, 192], expected images"));
  }
  SECTION("channels differ") {
    unet.tensor("input.sample").shape = {6, 1, 8, 8};
    CHECK_THAT(unet.error(), Contains("[6, 1, 8, 8], expected [6, 3, 8, 8]"));
  }
}

}  // namespace
}  // namespace ebb
