#include "diffusion/original_unet.h"

#include <algorithm>

#include "base/error.h"
#include "base/text.h"

namespace ebb {
namespace {

const TensorInfo& require_tensor(const WeightSource& source, const std::string& name) {
  for (const TensorInfo& tensor : source.tensors()) {
    if (tensor.name == name) return tensor;
  }
  throw FormatError(cat(source.label(), ": has no tensor ", quoted(name),
                        ", so it is no UNet of guided-diffusion or DeepFloyd IF under its authors' "
                        "names. Name another --as, or leave it out."));
}

bool has_tensor(const WeightSource& source, const std::string& name) {
  return std::any_of(source.tensors().begin(), source.tensors().end(),
                     [&](const TensorInfo& tensor) { return tensor.name == name; });
}

int64_t dimension(const WeightSource& source, const std::string& name, size_t axis) {
  const TensorInfo& tensor = require_tensor(source, name);
  EBB_CHECK(axis < tensor.shape.size(), FormatError, source.label(), ": tensor ", quoted(name),
            " has ", tensor.shape.size(), " dimensions, expected at least ", axis + 1);
  return static_cast<int64_t>(tensor.shape[axis]);
}

// Blocks with resnets alone on the `plain` largest images, then with attention.
void set_blocks(Json& config, size_t levels, size_t plain, const std::string& attends) {
  std::vector<std::string> down, up;
  for (size_t i = 0; i < levels; ++i) {
    down.push_back(i < plain ? "ResnetDownsampleBlock2D" : attends + "DownBlock2D");
    up.push_back(i + plain < levels ? attends + "UpBlock2D" : "ResnetUpsampleBlock2D");
  }
  config["down_block_types"] = down;
  config["up_block_types"] = up;
}

void set_widths(Json& config, const WeightSource& source, const std::vector<int64_t>& multiples) {
  constexpr int64_t kGroups = 32;  // of every GroupNorm
  const int64_t first = dimension(source, "input_blocks.0.0.weight", 0);
  EBB_CHECK(first > 0 && first % kGroups == 0, FormatError, source.label(),
            ": \"input_blocks.0.0.weight\" makes ", first, " channels, expected a multiple of ",
            kGroups, ". Name another --as.");
  std::vector<int64_t> widths;
  for (const int64_t multiple : multiples) widths.push_back(multiple * first);
  config["block_out_channels"] = widths;
  config["in_channels"] = dimension(source, "input_blocks.0.0.weight", 1);
  config["out_channels"] = dimension(source, "out.2.weight", 0);
}

Json deepfloyd_config(const WeightSource& source) {
  const bool enlarges = has_tensor(source, "aug_proj.0.weight");
  Json config{{"_class_name", "UNet2DConditionModel"},
              {"act_fn", "gelu"},
              {"addition_embed_type", "text"},
              {"addition_embed_type_num_heads", 64},
              {"attention_head_dim", 64},
              {"cross_attention_norm", "group_norm"},
              {"encoder_hid_dim_type", "text_proj"},
              {"mid_block_type", "UNetMidBlock2DSimpleCrossAttn"},
              {"resnet_time_scale_shift", "scale_shift"}};
  config["encoder_hid_dim"] = dimension(source, "encoder_proj.weight", 1);
  config["cross_attention_dim"] = dimension(source, "encoder_proj.weight", 0);
  set_widths(config, source,
             enlarges ? std::vector<int64_t>{1, 2, 4, 6, 8} : std::vector<int64_t>{1, 2, 3, 4});
  set_blocks(config, enlarges ? 5 : 4, enlarges ? 3 : 1, "SimpleCrossAttn");
  if (!enlarges) {
    config["layers_per_block"] = 3;
    config["sample_size"] = 64;
    return config;
  }
  const double root_2 = 1.4142271248762552;  // 1 / 0.7071, as published
  config["class_embed_type"] = "timestep";
  config["layers_per_block"] = std::vector<int64_t>{2, 2, 3, 5, 5};
  config["mid_block_scale_factor"] = root_2;
  config["resnet_out_scale_factor"] = root_2;
  config["resnet_skip_time_act"] = true;
  config["sample_size"] = 256;
  config["time_embedding_act_fn"] = "gelu";
  config["time_embedding_dim"] = dimension(source, "time_embed.2.weight", 0);
  return config;
}

Json guided_config(const WeightSource& source, bool is_large) {
  Json config{{"_class_name", "UNet2DModel"}, {"act_fn", "silu"},
              {"attention_head_dim", 64},     {"attn_norm_num_groups", 32},
              {"downsample_type", "resnet"},  {"resnet_time_scale_shift", "scale_shift"},
              {"upsample_type", "resnet"}};
  set_widths(config, source,
             is_large ? std::vector<int64_t>{1, 1, 2, 2, 4, 4} : std::vector<int64_t>{1, 2, 3, 4});
  set_blocks(config, is_large ? 6 : 4, is_large ? 3 : 1, "Attn");
  config["layers_per_block"] = is_large ? 2 : 3;
  config["sample_size"] = is_large ? 256 : 64;
  if (has_tensor(source, "label_emb.weight")) {
    config["num_class_embeds"] = dimension(source, "label_emb.weight", 0);
  }
  return config;
}

}  // namespace

bool is_original_unet(const std::string& name) {
  return std::find(std::begin(kOriginalUnets), std::end(kOriginalUnets), name) !=
         std::end(kOriginalUnets);
}

Json original_unet_config(const std::string& name, const WeightSource& source) {
  if (name == "deepfloyd-if") return deepfloyd_config(source);
  return guided_config(source, name == "guided-diffusion-256");
}

Json original_scheduler_config(const std::string& name, const Json& unet_config) {
  Json config{{"_class_name", "DDPMScheduler"},
              {"beta_end", 0.02},
              {"beta_schedule", name == "guided-diffusion-256" ? "linear" : "squaredcos_cap_v2"},
              {"beta_start", 0.0001},
              {"clip_sample", true},
              {"num_train_timesteps", 1000},
              {"prediction_type", "epsilon"},
              {"variance_type", "learned_range"}};
  if (name != "deepfloyd-if") return config;
  config["thresholding"] = true;
  config["dynamic_thresholding_ratio"] = 0.95;
  config["sample_max_value"] = unet_config.contains("class_embed_type") ? 1.0 : 1.5;
  return config;
}

std::string original_pipeline_class(const std::string& name, const Json& unet_config) {
  if (name != "deepfloyd-if") return "DDPMPipeline";
  return unet_config.contains("class_embed_type") ? "IFSuperResolutionPipeline" : "IFPipeline";
}

}  // namespace ebb
