#include "nn/unet_diffusers.h"

#include <array>
#include <utility>

#include "nn/unet_blocks.h"
#include "nn/unet_conditioning.h"

namespace ebb {
namespace {

struct UnetInputs {
  Value sample;                // [N, H, W, in_channels - low_res_channels]
  std::optional<Value> image;  // [N, H, W, low_res_channels]
  UnetConditions conditions;
};

Value unet_diffusers(Ops& ops, const UnetLayout& layout, const UnetInputs& inputs) {
  const Scope s;
  const Value embedding = unet_embedding(ops, layout, inputs.conditions);
  const UnetPass pass{layout, embedding,
                      activate(ops, Scope("embedding"), embedding, layout.activation),
                      unet_text(ops, layout, inputs.conditions.text)};
  Value x = inputs.sample;
  if (inputs.image) x = ops.concat(s / "conv_in", {x, *inputs.image});  // [N, H, W, in_channels]
  if (layout.center_input_sample) x = ops.affine(s / "conv_in", x, 2, -1);
  Value h = ops.conv2d(s / "conv_in", x, layout.down.front().channels, 3, 1, 1);
  ops.mark_output(s / "conv_in", h);
  std::vector<Value> skips{h};
  for (size_t i = 0; i < layout.down.size(); ++i) {
    h = unet_down_block(ops, s / cat("down_blocks.", i), pass, h, i, skips);
  }
  h = unet_mid_block(ops, s / "mid_block", pass, h);
  for (size_t i = 0; i < layout.up.size(); ++i) {
    h = unet_up_block(ops, s / cat("up_blocks.", i), pass, h, i, skips);
  }
  h = ops.group_norm(s / "conv_norm_out", h, layout.norm_num_groups, {.eps = layout.norm_eps});
  ops.mark_output(s / "conv_norm_out", h);
  h = activate(ops, s / "conv_act", h, layout.out_activation);
  h = ops.conv2d(s / "conv_out", h, layout.out_channels, 3, 1, 1);
  ops.mark_output(s / "conv_out", h);
  ops.mark_output(s / "output", h);
  return h;  // [N, H, W, out_channels]
}

NetworkInput class_input(const UnetLayout& layout) {
  NetworkInput input{"class_labels", {}, InputRole::kCondition};
  if (layout.class_embedding == ClassEmbedding::kTable) {
    input.dtype = DType::kI32;
    input.classes = layout.class_width;
  }
  if (layout.class_embedding == ClassEmbedding::kTimestep) input.exact = true;
  if (layout.class_width > 0 && layout.class_embedding != ClassEmbedding::kTable) {
    input.shape = {layout.class_width};
  }
  return input;
}

std::vector<NetworkInput> inputs_of(const UnetLayout& layout) {
  const int64_t h = layout.height, w = layout.width, low_res = layout.low_res_channels;
  const bool learned = layout.learned_timesteps > 0;
  const NetworkInput sample{"sample", {h, w, layout.in_channels - low_res}, InputRole::kSample};
  const NetworkInput image{"image", {h, w, low_res}, InputRole::kLowRes};
  const NetworkInput time{"timestep",       {},
                          InputRole::kTime, learned ? DType::kI32 : DType::kF32,
                          !learned,         layout.learned_timesteps};
  const NetworkInput text{
      "encoder_hidden_states", {layout.text_tokens, layout.text_width}, InputRole::kCondition};
  std::vector<NetworkInput> inputs{sample};
  if (low_res > 0) inputs.push_back(image);
  inputs.push_back(time);
  if (layout.reads_text) inputs.push_back(text);
  if (layout.class_embedding != ClassEmbedding::kNone) inputs.push_back(class_input(layout));
  return inputs;
}

}  // namespace

Network unet_diffusers_network(const Json& json, const std::string& where) {
  const UnetLayout layout = unet_layout(json, where);
  Network network;
  network.config = unet_layout_keys(json);
  network.inputs = inputs_of(layout);
  network.forward = [layout](Ops& ops, const std::vector<Value>& values) {
    size_t next = 0;
    const auto take = [&](bool there) {
      return there ? std::optional<Value>(values.at(next++)) : std::nullopt;
    };
    UnetInputs inputs;
    inputs.sample = take(true).value();
    inputs.image = take(layout.low_res_channels > 0);
    inputs.conditions.timestep = take(true).value();
    inputs.conditions.text = take(layout.reads_text);
    inputs.conditions.class_labels = take(layout.class_embedding != ClassEmbedding::kNone);
    return unet_diffusers(ops, layout, inputs);
  };
  return network;
}

std::string unet_diffusers_name(std::string_view stored) {
  static constexpr std::array<std::pair<std::string_view, std::string_view>, 4> kRenamed{
      {{"query", "to_q"}, {"key", "to_k"}, {"value", "to_v"}, {"proj_attn", "to_out.0"}}};
  // ...attentions.<i>.query.weight
  const size_t end = stored.rfind('.');
  if (end == std::string_view::npos || end == 0) return std::string(stored);
  const size_t dot = stored.rfind('.', end - 1);
  if (dot == std::string_view::npos || stored.find("attentions.") > dot) return std::string(stored);
  for (const auto& [old_name, name] : kRenamed) {
    if (stored.substr(dot + 1, end - dot - 1) != old_name) continue;
    return cat(stored.substr(0, dot + 1), name, stored.substr(end));
  }
  return std::string(stored);
}

}  // namespace ebb
