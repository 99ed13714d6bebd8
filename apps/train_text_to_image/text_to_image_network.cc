#include "apps/train_text_to_image/text_to_image_network.h"

#include <algorithm>

#include "base/error.h"
#include "base/json.h"

namespace ebb {
namespace {

constexpr int64_t kPoolHeadWidth = 64;
constexpr int64_t kStepNumbers = 4;  // of LearnedRangeStep

// DeepFloyd IF's second stage divides its residual sums by this.
constexpr double kResidualScale = 1.4142271248762552;

// The numbers per head of the text pooling: as in IF where the width allows it.
int64_t pool_heads(int64_t width) {
  return width % kPoolHeadWidth == 0 ? width / kPoolHeadWidth : 1;
}

void set_second_stage(Json& config) {
  config["class_embed_type"] = "timestep";
  config["mid_block_scale_factor"] = kResidualScale;
  config["resnet_out_scale_factor"] = kResidualScale;
  config["resnet_skip_time_act"] = true;
  config["time_embedding_act_fn"] = "gelu";
}

bool is_text(const NetworkInput& input) {
  return input.role == InputRole::kCondition && input.shape.rank() == 2;
}

}  // namespace

const std::vector<UnetSize>& unet_sizes() {
  static const std::vector<UnetSize> kSizes = {
      {.name = "small",
       .side = 32,
       .channels = {64, 128, 192},
       .large_channels = {32, 64, 128},
       .layers = 1,
       .groups = 16,
       .head_width = 64,
       .text_channels = 192},
      {.name = "base",
       .side = 32,
       .channels = {64, 128, 192},
       .large_channels = {64, 128, 192},
       .layers = 2,
       .groups = 32,
       .head_width = 64,
       .text_channels = 192},
      {.name = "toy",
       .side = 8,
       .channels = {8, 16},
       .large_channels = {8, 16},
       .layers = 1,
       .groups = 4,
       .head_width = 8,
       .text_channels = 32},
  };
  return kSizes;
}

const UnetSize& unet_size(const std::string& name) {
  const std::vector<UnetSize>& sizes = unet_sizes();
  const auto found =
      std::find_if(sizes.begin(), sizes.end(), [&](const UnetSize& s) { return s.name == name; });
  EBB_CHECK(found != sizes.end(), FormatError, "size ", name, ": is none of small, base and toy");
  return *found;
}

int64_t image_side(const UnetSize& size, int64_t stage) { return stage * size.side; }

std::string unet_config(const UnetSize& size, int64_t stage, const TextSource& text) {
  // All levels but the first attend, of the second stage those of at most half the side.
  std::vector<std::string> down, up;
  const std::vector<int64_t>& channels = stage == 1 ? size.channels : size.large_channels;
  const auto levels = static_cast<int64_t>(channels.size());
  for (int64_t i = 0; i < levels; ++i) {
    const bool attends = i >= std::min(stage, levels - 1);
    down.emplace_back(attends ? "SimpleCrossAttnDownBlock2D" : "ResnetDownsampleBlock2D");
    up.insert(up.begin(), attends ? "SimpleCrossAttnUpBlock2D" : "ResnetUpsampleBlock2D");
  }
  Json config{{"_class_name", "UNet2DConditionModel"},
              {"act_fn", "gelu"},
              {"addition_embed_type", "text"},
              {"addition_embed_type_num_heads", pool_heads(text.width())},
              {"attention_head_dim", size.head_width},
              {"block_out_channels", channels},
              {"cross_attention_dim", size.text_channels},
              {"cross_attention_norm", "group_norm"},
              {"down_block_types", down},
              {"encoder_hid_dim", text.width()},
              {"encoder_hid_dim_type", "text_proj"},
              {"in_channels", 3 * stage},
              {"layers_per_block", size.layers},
              {"mid_block_type", "UNetMidBlock2DSimpleCrossAttn"},
              {"norm_num_groups", size.groups},
              {"out_channels", 6},
              {"resnet_time_scale_shift", "scale_shift"},
              {"sample_size", image_side(size, stage)},
              {"up_block_types", up}};
  if (stage == 2) set_second_stage(config);
  return config.dump();
}

Network training_network(const Network& unet, const TextSource& text, float vlb_weight) {
  Network training;
  training.config = unet.config;
  for (const NetworkInput& input : unet.inputs) {
    if (!is_text(input)) training.inputs.push_back(input);
  }
  const size_t own = training.inputs.size();
  for (const NetworkInput& input : text.inputs()) training.inputs.push_back(input);
  const size_t with_text = training.inputs.size();
  const Shape image = unet.sample().shape;
  for (const char* name : {kNoiseInput, kImagesInput}) {
    training.inputs.push_back({name, image, InputRole::kSample, DType::kF32, true});
  }
  training.inputs.push_back(
      {kStepsInput, {kStepNumbers}, InputRole::kCondition, DType::kF32, true});
  training.forward = [unet, &text, vlb_weight, own, with_text](Ops& ops,
                                                               const std::vector<Value>& values) {
    const auto at = [&](size_t i) { return values.begin() + static_cast<std::ptrdiff_t>(i); };
    const Value states = text.states(ops, {at(own), at(with_text)});
    std::vector<Value> inputs;
    size_t next = 0;
    for (const NetworkInput& input : unet.inputs) {
      inputs.push_back(is_text(input) ? states : values.at(next++));
    }
    const Value output = ops.in_type(Scope("loss"), unet.forward(ops, inputs), DType::kF32);
    return ops.learned_range_loss(output, values.at(with_text), values.at(with_text + 1),
                                  values.at(with_text + 2), vlb_weight);
  };
  return training;
}

}  // namespace ebb
