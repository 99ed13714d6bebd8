// diffusers' UNets: small ones against diffusers itself, the parameters of published ones.

#include "nn/unet_diffusers.h"

#include <algorithm>
#include <map>
#include <set>

#include "engine/executor.h"
#include "engine/passes/passes.h"
#include "nn/autograd/tape.h"
#include "nn/eager_ops.h"
#include "nn/graph_builder.h"
#include "testing/catch.h"
#include "testing/contexts.h"
#include "testing/networks.h"
#include "testing/unet_golden.h"

namespace ebb {
namespace {

using test::UnetGolden;

// diffusers' own f32 is within 6e-6 of f64, which the files hold; a mistake makes 1e-3.
constexpr double kModuleLimit = 1e-5, kOutputLimit = 1e-4;

TensorMap run_graph(const UnetGolden& c, const Graph& graph) {
  Executor executor(c.context, graph, c.params, {.keep_module_outputs = true});
  for (const auto& [name, value] : c.inputs) executor.set_input(name, value);
  TensorMap outputs;
  executor.run();
  for (const auto& [name, value] : graph.module_outputs) outputs[name] = executor.mark_output(name);
  return outputs;
}

TensorMap run_eagerly(const UnetGolden& c) {
  EagerOps ops(c.context, c.params);
  test::forward(ops, c.network, c.inputs);
  return ops.module_outputs();
}

TEST_CASE("parameters of diffusers' UNets have its names and shapes", "[nn]") {
  const auto context = test::cpu_context();
  for (const std::string& name : test::unet_goldens()) {
    INFO(name);
    const UnetGolden c(*context, name);
    std::set<std::string> names;
    for (const ParamSpec& spec : c.specs) {
      INFO(spec.name);
      CHECK(names.insert(spec.name).second);
      CHECK(torch_shape(spec) == c.golden.shape("param." + spec.name));
    }
    CHECK(names == c.golden.names_after("param."));
  }
}

TEST_CASE("every module's output is diffusers', eagerly and as an executor runs it", "[nn]") {
  const auto context = test::cpu_context();
  for (const std::string& name : test::unet_goldens()) {
    const UnetGolden c(*context, name);
    const Graph graph = build_graph(c.network, c.batch());
    const std::map<std::string, TensorMap> runs{
        {"eager", run_eagerly(c)},
        {"executor", run_graph(c, graph)},
        {"passes", run_graph(c, optimize(graph, *context))}};
    for (const auto& [how, outputs] : runs) {
      CHECK(outputs.size() == c.modules.size());
      for (const std::string& module : c.modules) {
        INFO(name << ", " << how << ": " << module);
        REQUIRE(outputs.contains(module));
        CHECK(test::largest_difference(outputs.at(module), c.golden.activation(*context, module)) <=
              (module == "output" ? kOutputLimit : kModuleLimit));
      }
    }
  }
}

TEST_CASE("eager evaluation, tape and executor of diffusers' UNets agree bitwise", "[nn]") {
  for (const std::string& name : test::unet_goldens()) {
    INFO(name);
    test::PoisonedContext poisoned;
    {
      const UnetGolden c(poisoned.get(), name);
      const Tensor expected = run_eagerly(c).at("output");
      CHECK(test::compare_bits(run_graph(c, build_graph(c.network, c.batch())).at("output"),
                               expected) == "");
      autograd::ParamStore store(c.context, c.specs, false);
      for (const auto& [param, value] : c.params) store.value(param).copy_from(value);
      autograd::Tape tape(c.context, store, autograd::Mode::kEval);
      CHECK(test::compare_bits(tape.tensor(test::forward(tape, c.network, c.inputs)), expected) ==
            "");
    }
    CHECK(poisoned.allocator().damaged_blocks() == 0);
  }
}

TEST_CASE("an image to enlarge may be an input of its own", "[nn]") {
  const auto context = test::cpu_context();
  const UnetGolden c(*context, "karlo");
  Json json = Json::parse(c.golden.model_config());
  json["low_res_channels"] = 2;
  const Network network = make_network(json.dump(), "karlo");
  CHECK(network.sample().shape == Shape{8, 8, 4});
  const NetworkInput* image = network.input(InputRole::kLowRes);
  REQUIRE(image != nullptr);
  CHECK(image->shape == Shape{8, 8, 2});
  TensorMap inputs = c.inputs;
  EagerOps ops(*context, c.params);
  const Scope s("parts");
  const Value both = ops.input(inputs.at("sample"));
  inputs["sample"] = ops.tensor(ops.slice_channels(s, both, 0, 4));
  inputs["image"] = ops.tensor(ops.slice_channels(s, both, 4, 2));
  const Value y = test::forward(ops, network, inputs);
  CHECK(test::compare_bits(ops.tensor(y), run_eagerly(c).at("output")) == "");
}

TEST_CASE("images of any size that the levels can halve go through", "[nn]") {
  const auto context = test::cpu_context();
  const UnetGolden c(*context, "if_stage_1");
  Json json = Json::parse(c.golden.model_config());
  json["sample_size"] = std::vector<int64_t>{4, 10};
  json["text_tokens"] = 3;
  const Network network = make_network(json.dump(), "if");
  CHECK(output_shape(network) == Shape{4, 10, 6});
  CHECK(list_params(network).size() == c.specs.size());
}

// FNV-1a of the sorted lines "name 1x2x3x4\n".
uint64_t digest(std::vector<ParamSpec> specs) {
  std::sort(specs.begin(), specs.end(),
            [](const ParamSpec& a, const ParamSpec& b) { return a.name < b.name; });
  uint64_t hash = 0xcbf29ce484222325;
  for (const ParamSpec& spec : specs) {
    std::string line = spec.name + " ";
    for (const int64_t dim : torch_shape(spec)) {
      line += (line.back() == ' ' ? "" : "x") + std::to_string(dim);
    }
    for (const char c : line + "\n") hash = (hash ^ static_cast<uint8_t>(c)) * 0x100000001b3;
  }
  return hash;
}

std::string list(const std::vector<std::string>& names) { return Json(names).dump(); }

std::string deepfloyd(const std::string& channels, int width) {
  return R"("_class_name": "UNet2DConditionModel", "act_fn": "gelu", "addition_embed_type": "text",
    "addition_embed_type_num_heads": 64, "attention_head_dim": 64, "out_channels": 6,
    "cross_attention_norm": "group_norm", "encoder_hid_dim": 4096,
    "encoder_hid_dim_type": "text_proj", "mid_block_type": "UNetMidBlock2DSimpleCrossAttn",
    "resnet_time_scale_shift": "scale_shift", "class_embeddings_concat": false, "dropout": 0.0,
    "block_out_channels": )" +
         channels + R"(, "cross_attention_dim": )" + std::to_string(width) + ", ";
}

std::string stage_1(const std::string& channels, int width) {
  const std::vector<std::string> down{"ResnetDownsampleBlock2D", "SimpleCrossAttnDownBlock2D",
                                      "SimpleCrossAttnDownBlock2D", "SimpleCrossAttnDownBlock2D"};
  const std::vector<std::string> up{"SimpleCrossAttnUpBlock2D", "SimpleCrossAttnUpBlock2D",
                                    "SimpleCrossAttnUpBlock2D", "ResnetUpsampleBlock2D"};
  return "{" + deepfloyd(channels, width) + R"("in_channels": 3, "sample_size": 64,
    "layers_per_block": 3, "down_block_types": )" +
         list(down) + R"(, "up_block_types": )" + list(up) + "}";
}

std::string stage_2(const std::string& channels, int width) {
  const std::vector<std::string> down{"ResnetDownsampleBlock2D", "ResnetDownsampleBlock2D",
                                      "ResnetDownsampleBlock2D", "SimpleCrossAttnDownBlock2D",
                                      "SimpleCrossAttnDownBlock2D"};
  const std::vector<std::string> up{"SimpleCrossAttnUpBlock2D", "SimpleCrossAttnUpBlock2D",
                                    "ResnetUpsampleBlock2D", "ResnetUpsampleBlock2D",
                                    "ResnetUpsampleBlock2D"};
  return "{" + deepfloyd(channels, width) + R"("in_channels": 6, "sample_size": 256,
    "layers_per_block": [2, 2, 3, 5, 5], "class_embed_type": "timestep",
    "resnet_skip_time_act": true, "resnet_out_scale_factor": 1.4142271248762552,
    "mid_block_scale_factor": 1.4142271248762552, "time_embedding_act_fn": "gelu",
    "time_embedding_dim": )" +
         std::to_string(width) + R"(, "down_block_types": )" + list(down) +
         R"(, "up_block_types": )" + list(up) + "}";
}

const char* const kCifar = R"({"_class_name": "UNet2DModel", "act_fn": "silu",
  "attention_head_dim": null, "block_out_channels": [128, 256, 256, 256],
  "center_input_sample": false, "downsample_padding": 0, "flip_sin_to_cos": false,
  "down_block_types": ["DownBlock2D", "AttnDownBlock2D", "DownBlock2D", "DownBlock2D"],
  "freq_shift": 1, "in_channels": 3, "layers_per_block": 2, "mid_block_scale_factor": 1,
  "norm_eps": 1e-06, "norm_num_groups": 32, "out_channels": 3, "sample_size": 32,
  "time_embedding_type": "positional",
  "up_block_types": ["UpBlock2D", "UpBlock2D", "AttnUpBlock2D", "UpBlock2D"]})";
const char* const kImagenet = R"({"_class_name": "UNet2DModel", "sample_size": 64,
  "block_out_channels": [192, 384, 576, 768], "layers_per_block": 3, "num_class_embeds": 1000,
  "down_block_types": ["ResnetDownsampleBlock2D", "AttnDownBlock2D", "AttnDownBlock2D",
                       "AttnDownBlock2D"],
  "up_block_types": ["AttnUpBlock2D", "AttnUpBlock2D", "AttnUpBlock2D", "ResnetUpsampleBlock2D"],
  "resnet_time_scale_shift": "scale_shift", "attn_norm_num_groups": 32, "attention_head_dim": 64,
  "downsample_type": "resnet", "upsample_type": "resnet"})";
const char* const kButterflies = R"({"_class_name": "UNet2DModel", "sample_size": 32,
  "block_out_channels": [64, 128, 128, 256],
  "down_block_types": ["DownBlock2D", "DownBlock2D", "AttnDownBlock2D", "AttnDownBlock2D"],
  "up_block_types": ["AttnUpBlock2D", "AttnUpBlock2D", "UpBlock2D", "UpBlock2D"]})";

// The names and shapes that diffusers 0.42.1 gives them. DeepFloyd's files are behind its license;
// the widths of I-M, I-L and II-M are those that give the published sizes.
TEST_CASE("published UNets have the parameters of their files", "[nn]") {
  struct Published {
    const char* name;
    std::string config;
    size_t tensors;
    int64_t parameters;
    uint64_t digest;
  };
  const Published all[] = {
      {"IF-I-M", stage_1("[192, 384, 576, 768]", 768), 775, 371'605'830, 0xb91f57b4c69f574c},
      {"IF-I-L", stage_1("[320, 640, 960, 1280]", 1280), 775, 935'365'830, 0x32ab4faad052abe0},
      {"IF-I-XL", stage_1("[704, 1408, 2112, 2816]", 2816), 775, 4'304'695'110, 0xeebf85a97ee63f6c},
      {"IF-II-M", stage_2("[96, 192, 384, 576, 768]", 768), 939, 482'483'334, 0xde809ef23046f363},
      {"IF-II-L", stage_2("[160, 320, 640, 960, 1280]", 1280), 939, 1'243'277'190,
       0x4066e58ab30edc1f},
      {"ddpm-cifar10-32", kCifar, 328, 35'746'307, 0xee60e07090d2a79f},
      {"cd-imagenet64", kImagenet, 629, 295'899'267, 0x0ae141a5457ceac7},
      {"butterflies", kButterflies, 380, 18'536'323, 0xfacf8dae1cdcdcd9}};
  for (const Published& model : all) {
    INFO(model.name);
    const Network network = make_network(model.config, model.name);
    const std::vector<ParamSpec> specs = list_params(network);
    CHECK(specs.size() == model.tensors);
    CHECK(count_trainable(specs) == model.parameters);
    CHECK(digest(specs) == model.digest);
    // The part of the config that a model file keeps describes the same network.
    CHECK(digest(list_params(make_network(network.config, "kept"))) == model.digest);
  }
}

TEST_CASE("inputs of diffusers' UNets have its names, shapes and roles", "[nn]") {
  const Network network = make_network(stage_2("[96, 192, 384, 576, 768]", 768), "II-M");
  std::vector<std::string> found;
  for (const NetworkInput& input : network.inputs) {
    found.push_back(cat(input.name, " ", input.shape, " ", to_string(input.dtype),
                        input.exact ? " exact" : ""));
  }
  CHECK(found == std::vector<std::string>{"sample [256, 256, 6] f32", "timestep [] f32 exact",
                                          "encoder_hidden_states [77, 4096] f32",
                                          "class_labels [] f32 exact"});
  const Network classes = make_network(kImagenet, "imagenet");
  CHECK(classes.input(InputRole::kCondition)->dtype == DType::kI32);
  CHECK(output_shape(classes) == Shape{64, 64, 3});
}

TEST_CASE("attention layers of old files get today's names", "[nn]") {
  const std::map<std::string, std::string> names{
      {"mid_block.attentions.0.query.weight", "mid_block.attentions.0.to_q.weight"},
      {"mid_block.attentions.0.key.bias", "mid_block.attentions.0.to_k.bias"},
      {"down_blocks.1.attentions.1.value.bias", "down_blocks.1.attentions.1.to_v.bias"},
      {"up_blocks.2.attentions.0.proj_attn.weight", "up_blocks.2.attentions.0.to_out.0.weight"},
      {"mid_block.attentions.0.to_q.weight", "mid_block.attentions.0.to_q.weight"},
      {"mid_block.attentions.0.group_norm.weight", "mid_block.attentions.0.group_norm.weight"},
      {"encoder.query.weight", "encoder.query.weight"},
      {"query.weight", "query.weight"},
      {"conv_in", "conv_in"},
      {".", "."},
      {"", ""}};
  for (const auto& [stored, name] : names) CHECK(unet_diffusers_name(stored) == name);
}

}  // namespace
}  // namespace ebb
