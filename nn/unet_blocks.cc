#include "nn/unet_blocks.h"

namespace ebb {
namespace {

// Attention with text keys has these whatever the layout says of the other norms.
constexpr int64_t kTextNormGroups = 32;
constexpr float kCrossAttentionEps = 1e-5f;

Value marked(Ops& ops, const Scope& s, Value value) {
  ops.mark_output(s, value);
  return value;
}

std::string numbered(const char* name, int64_t i) { return cat(name, ".", i); }

Value divided(Ops& ops, const Scope& s, Value x, float factor) {
  return factor == 1 ? x : ops.affine(s, x, 1 / factor);
}

Value resampled(Ops& ops, const Scope& s, Value x, Resample resample) {
  if (resample == Resample::kDown) return ops.avg_pool(s, x, 2);
  if (resample == Resample::kUp) return ops.upsample(s, x, 2);
  return x;
}

int64_t head_count(int64_t channels, int64_t head_width) {
  return head_width == 0 ? 1 : channels / head_width;
}

UnetResnet resnet_of(const UnetLayout& layout, const UnetBlock& block,
                     Resample resample = Resample::kNone) {
  UnetResnet resnet{.channels = block.channels, .resample = resample};
  if (block.kind == UnetBlockKind::kResnet || block.kind == UnetBlockKind::kCrossAttention) {
    resnet.skip_time_activation = layout.resnet_skip_time_act;
    resnet.scale_factor = layout.resnet_out_scale_factor;
  }
  return resnet;
}

// Layer j of a block: a resnet and, if the block attends, an attention.
Value layer(Ops& ops, const Scope& s, const UnetPass& pass, Value x, const UnetBlock& block,
            int64_t j) {
  const UnetLayout& layout = pass.layout;
  const Value h = unet_resnet(ops, s / numbered("resnets", j), pass, x, resnet_of(layout, block));
  const Scope attention = s / numbered("attentions", j);
  if (block.kind == UnetBlockKind::kAttention) {
    return unet_attention(ops, attention, pass, h, block.head_width, layout.norm_num_groups);
  }
  if (block.kind == UnetBlockKind::kCrossAttention) {
    return unet_cross_attention(ops, attention, pass, h, block.head_width,
                                block.only_cross_attention);
  }
  return h;
}

bool resamples_by_resnet(const UnetBlock& block, bool attention_blocks_do) {
  if (block.kind == UnetBlockKind::kAttention) return attention_blocks_do;
  return block.kind != UnetBlockKind::kPlain;
}

Value downsample(Ops& ops, const Scope& s, const UnetPass& pass, Value x, const UnetBlock& block) {
  if (resamples_by_resnet(block, pass.layout.downsamples_by_resnet)) {
    return unet_resnet(ops, s, pass, x, resnet_of(pass.layout, block, Resample::kDown));
  }
  // Without padding diffusers adds zeros below and to the right.
  const int64_t pad = pass.layout.downsample_padding;
  return marked(ops, s, ops.conv2d(s / "conv", x, block.channels, 3, 2, pad, 1));
}

Value upsample(Ops& ops, const Scope& s, const UnetPass& pass, Value x, const UnetBlock& block) {
  if (resamples_by_resnet(block, pass.layout.upsamples_by_resnet)) {
    return unet_resnet(ops, s, pass, x, resnet_of(pass.layout, block, Resample::kUp));
  }
  return marked(ops, s, ops.conv2d(s / "conv", ops.upsample(s, x, 2), block.channels, 3, 1, 1));
}

}  // namespace

Value activate(Ops& ops, const Scope& s, Value x, Activation activation) {
  return activation == Activation::kNone ? x : ops.activation(s, x, activation);
}

Value norm_activate(Ops& ops, const Scope& s, Value x, int64_t groups, Activation activation,
                    GroupNormOptions options) {
  if (is_fusable(activation)) {
    options.activation = activation;
    return ops.group_norm(s, x, groups, options);
  }
  return activate(ops, s, ops.group_norm(s, x, groups, options), activation);
}

Value unet_resnet(Ops& ops, const Scope& s, const UnetPass& pass, Value x,
                  const UnetResnet& resnet) {
  const UnetLayout& layout = pass.layout;
  const int64_t out = resnet.channels, groups = layout.norm_num_groups;
  const bool modulates = layout.time_scale_shift;
  GroupNormOptions norm{.eps = layout.norm_eps};
  Value h = norm_activate(ops, s / "norm1", x, groups, layout.activation, norm);
  h = resampled(ops, s, h, resnet.resample);  // [N, H', W', C]
  x = resampled(ops, s, x, resnet.resample);
  h = ops.conv2d(s / "conv1", h, out, 3, 1, 1);  // [N, H', W', out]
  const Value time = resnet.skip_time_activation ? pass.embedding : pass.activated_embedding;
  const Value both = ops.linear(s / "time_emb_proj", time, modulates ? 2 * out : out);
  if (modulates) {
    norm.scale = ops.slice_channels(s, both, 0, out);    // [N, out]
    norm.shift = ops.slice_channels(s, both, out, out);  // [N, out]
  } else {
    h = ops.add(s, h, both);
  }
  h = norm_activate(ops, s / "norm2", h, groups, layout.activation, norm);
  h = ops.conv2d(s / "conv2", h, out, 3, 1, 1);
  const bool widens = ops.shape(x).back() != out;
  const Value shortcut = widens ? ops.conv2d(s / "conv_shortcut", x, out, 1, 1, 0) : x;
  return marked(ops, s, divided(ops, s, ops.add(s, h, shortcut), resnet.scale_factor));
}

Value unet_attention(Ops& ops, const Scope& s, const UnetPass& pass, Value x, int64_t head_width,
                     int64_t groups, float scale_factor) {
  const int64_t channels = ops.shape(x).back(), heads = head_count(channels, head_width);
  const Value y =
      groups == 0 ? x : ops.group_norm(s / "group_norm", x, groups, {.eps = pass.layout.norm_eps});
  const Value q = ops.linear(s / "to_q", y, channels);  // [N, H, W, C]
  const Value k = ops.linear(s / "to_k", y, channels);
  const Value v = ops.linear(s / "to_v", y, channels);
  const Value o = ops.linear(s / "to_out.0", ops.attention(s, q, k, v, heads), channels);
  return marked(ops, s, divided(ops, s, ops.add(s, o, x), scale_factor));
}

Value unet_cross_attention(Ops& ops, const Scope& s, const UnetPass& pass, Value x,
                           int64_t head_width, bool only_text) {
  const int64_t channels = ops.shape(x).back(), heads = head_count(channels, head_width);
  const GroupNormOptions norm{.eps = kCrossAttentionEps};
  const Value text = pass.layout.cross_attention_norm
                         ? ops.group_norm(s / "norm_cross", *pass.text, kTextNormGroups, norm)
                         : *pass.text;
  const Value y = ops.group_norm(s / "group_norm", x, pass.layout.norm_num_groups, norm);
  const Value q = ops.linear(s / "to_q", y, channels);                // [N, H, W, C]
  const Value text_k = ops.linear(s / "add_k_proj", text, channels);  // [N, R, C]
  const Value text_v = ops.linear(s / "add_v_proj", text, channels);
  const auto attend = [&] {
    if (only_text) return ops.attention(s, q, text_k, text_v, heads);
    const Value k = ops.linear(s / "to_k", y, channels), v = ops.linear(s / "to_v", y, channels);
    return ops.attention(s, q, k, v, heads, {.extra_k = text_k, .extra_v = text_v});
  };
  const Value o = ops.linear(s / "to_out.0", attend(), channels);
  return marked(ops, s, ops.add(s, o, x));
}

Value unet_down_block(Ops& ops, const Scope& s, const UnetPass& pass, Value x, size_t i,
                      std::vector<Value>& skips) {
  const UnetBlock& block = pass.layout.down.at(i);
  Value h = x;
  for (int64_t j = 0; j < block.resnets; ++j) {
    h = layer(ops, s, pass, h, block, j);
    skips.push_back(h);
  }
  if (i + 1 < pass.layout.down.size()) {
    h = downsample(ops, s / "downsamplers.0", pass, h, block);
    skips.push_back(h);
  }
  return marked(ops, s, h);
}

Value unet_mid_block(Ops& ops, const Scope& s, const UnetPass& pass, Value x) {
  const UnetLayout& layout = pass.layout;
  if (layout.mid == UnetMidKind::kNone) return x;
  const UnetResnet resnet{.channels = ops.shape(x).back(),
                          .skip_time_activation = layout.mid == UnetMidKind::kCrossAttention &&
                                                  layout.resnet_skip_time_act,
                          .scale_factor = layout.mid_block_scale_factor};
  Value h = unet_resnet(ops, s / "resnets.0", pass, x, resnet);
  if (layout.mid == UnetMidKind::kAttention) {
    h = unet_attention(ops, s / "attentions.0", pass, h, layout.mid_head_width,
                       layout.mid_attention_groups, layout.mid_block_scale_factor);
  }
  if (layout.mid == UnetMidKind::kCrossAttention) {
    h = unet_cross_attention(ops, s / "attentions.0", pass, h, layout.mid_head_width,
                             layout.mid_only_cross_attention);
  }
  if (layout.mid != UnetMidKind::kResnet) h = unet_resnet(ops, s / "resnets.1", pass, h, resnet);
  return marked(ops, s, h);
}

Value unet_up_block(Ops& ops, const Scope& s, const UnetPass& pass, Value x, size_t i,
                    std::vector<Value>& skips) {
  const UnetBlock& block = pass.layout.up.at(i);
  Value h = x;
  for (int64_t j = 0; j < block.resnets; ++j) {
    h = ops.concat(s / numbered("resnets", j), {h, skips.back()});
    skips.pop_back();
    h = layer(ops, s, pass, h, block, j);
  }
  if (i + 1 < pass.layout.up.size()) h = upsample(ops, s / "upsamplers.0", pass, h, block);
  return marked(ops, s, h);
}

}  // namespace ebb
