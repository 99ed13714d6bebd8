#include "bench/checkpoint_configs.h"

#include "base/error.h"
#include "base/json.h"

namespace ebb {
namespace {

// Settings common to all UNets of DeepFloyd IF. Widths of XL and II-L are published; those of the
// others follow from the published numbers of parameters.
Json deepfloyd(const std::vector<int64_t>& widths) {
  return {{"_class_name", "UNet2DConditionModel"},
          {"act_fn", "gelu"},
          {"addition_embed_type", "text"},
          {"addition_embed_type_num_heads", 64},
          {"attention_head_dim", 64},
          {"block_out_channels", widths},
          {"cross_attention_dim", widths.back()},
          {"cross_attention_norm", "group_norm"},
          {"encoder_hid_dim", 4096},
          {"encoder_hid_dim_type", "text_proj"},
          {"mid_block_type", "UNetMidBlock2DSimpleCrossAttn"},
          {"out_channels", 6},
          {"resnet_time_scale_shift", "scale_shift"}};
}

// Resnets alone on the `plain` largest images, attention on the others.
void set_blocks(Json& config, size_t levels, size_t plain) {
  std::vector<std::string> down, up;
  for (size_t i = 0; i < levels; ++i) {
    down.push_back(i < plain ? "ResnetDownsampleBlock2D" : "SimpleCrossAttnDownBlock2D");
    up.push_back(i + plain < levels ? "SimpleCrossAttnUpBlock2D" : "ResnetUpsampleBlock2D");
  }
  config["down_block_types"] = down;
  config["up_block_types"] = up;
}

Json stage_1(const std::vector<int64_t>& widths) {
  Json config = deepfloyd(widths);
  set_blocks(config, widths.size(), 1);
  config["in_channels"] = 3;
  config["layers_per_block"] = 3;
  config["sample_size"] = 64;
  return config;
}

Json stage_2(const std::vector<int64_t>& widths) {
  Json config = deepfloyd(widths);
  set_blocks(config, widths.size(), 3);
  const double root_2 = 1.4142271248762552;
  config["class_embed_type"] = "timestep";
  config["in_channels"] = 6;
  config["layers_per_block"] = std::vector<int64_t>{2, 2, 3, 5, 5};
  config["mid_block_scale_factor"] = root_2;
  config["resnet_out_scale_factor"] = root_2;
  config["resnet_skip_time_act"] = true;
  config["sample_size"] = 256;
  config["time_embedding_act_fn"] = "gelu";
  config["time_embedding_dim"] = widths.back();
  return config;
}

// google/ddpm-*: attention on images of 16x16.
Json ddpm(const std::vector<int64_t>& widths, size_t attention, int64_t size) {
  std::vector<std::string> down, up;
  for (size_t i = 0; i < widths.size(); ++i) {
    down.push_back(i == attention ? "AttnDownBlock2D" : "DownBlock2D");
    up.push_back(i + 1 + attention == widths.size() ? "AttnUpBlock2D" : "UpBlock2D");
  }
  return {{"_class_name", "UNet2DModel"},
          {"act_fn", "silu"},
          {"attention_head_dim", nullptr},
          {"block_out_channels", widths},
          {"down_block_types", down},
          {"downsample_padding", 0},
          {"flip_sin_to_cos", false},
          {"freq_shift", 1},
          {"in_channels", 3},
          {"layers_per_block", 2},
          {"norm_eps", 1e-6},
          {"norm_num_groups", 32},
          {"out_channels", 3},
          {"sample_size", size},
          {"up_block_types", up}};
}

constexpr int64_t kPromptRows = 77;

}  // namespace

std::vector<CheckpointConfig> checkpoint_configs() {
  const auto text = [](const Json& json) { return json.dump(); };
  return {
      {"IF-I-M", text(stage_1({192, 384, 576, 768})), 114.7, kPromptRows, true, {1}},
      {"IF-I-L", text(stage_1({320, 640, 960, 1280})), 306.0, kPromptRows, true, {1}},
      {"IF-I-XL", text(stage_1({704, 1408, 2112, 2816})), 1439.5, kPromptRows, true, {1}},
      {"IF-II-L", text(stage_2({160, 320, 640, 960, 1280})), 1544.9, kPromptRows, true, {1}},
      {"ddpm-cifar10-32", text(ddpm({128, 256, 256, 256}, 1, 32)), 6.2, 0, false, {1, 16}},
      {"ddpm-256", text(ddpm({128, 128, 256, 256, 512, 512}, 4, 256)), 248.5, 0, false, {1}},
  };
}

CheckpointConfig checkpoint_config(const std::string& name) {
  std::string names;
  for (CheckpointConfig& config : checkpoint_configs()) {
    if (config.name == name) return config;
    names += (names.empty() ? "" : ", ") + config.name;
  }
  throw UsageError(cat("--config ", name, ": no such network. Use one of ", names));
}

}  // namespace ebb
