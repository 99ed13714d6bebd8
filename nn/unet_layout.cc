#include "nn/unet_layout.h"

#include <algorithm>
#include <variant>

#include "base/error.h"
#include "base/text.h"
#include "nn/config_keys.h"
#include "nn/config_reader.h"
#include "nn/unet_config.h"

namespace ebb {
namespace {

constexpr int64_t kTextTokens = 77;  // what DeepFloyd IF pads prompts to
constexpr int64_t kMaxTokens = 1 << 16;

UnetBlockKind kind_of(UNetBlockType type) {
  switch (type) {
    case UNetBlockType::kPlain:
      return UnetBlockKind::kPlain;
    case UNetBlockType::kAttn:
      return UnetBlockKind::kAttention;
    case UNetBlockType::kResnet:
      return UnetBlockKind::kResnet;
    case UNetBlockType::kSimpleCrossAttn:
      return UnetBlockKind::kCrossAttention;
  }
  return UnetBlockKind::kPlain;
}

// The way up has the levels from the lowest; but a list of head widths is not reversed.
template <typename Heads, typename Only>
void set_blocks(const UNetConfigBase& from, Heads head_width, Only only, UnetLayout& to) {
  const size_t levels = from.levels();
  for (size_t i = 0; i < levels; ++i) {
    const size_t below = levels - 1 - i;
    to.down.push_back({kind_of(from.down_block_types[i]), from.block_out_channels[i],
                       from.layers_per_block[i], head_width(i), only(i)});
    to.up.push_back({kind_of(from.up_block_types[i]), from.block_out_channels[below],
                     from.layers_per_block[below] + 1, head_width(i), only(below)});
  }
}

void set_base(const UNetConfigBase& from, const ConfigReader& reader, UnetLayout& to) {
  reader.check(from.sample_size.has_value(), "sample_size", "the height and width of the images");
  to.height = (*from.sample_size)[0];
  to.width = (*from.sample_size)[1];
  to.in_channels = from.in_channels;
  to.out_channels = from.out_channels;
  to.low_res_channels = reader.integer("low_res_channels", 0, 0, from.in_channels - 1);
  to.center_input_sample = from.center_input_sample;
  to.flip_sin_to_cos = from.flip_sin_to_cos;
  to.freq_shift = from.freq_shift;
  to.norm_num_groups = from.norm_num_groups;
  to.norm_eps = static_cast<float>(from.norm_eps);
  to.activation = from.act_fn;
  to.time_scale_shift = from.resnet_time_scale_shift == TimeScaleShift::kScaleShift;
  to.mid_block_scale_factor = static_cast<float>(from.mid_block_scale_factor);
  to.downsample_padding = from.downsample_padding;
}

void set_classes(const UNetConfigBase& from, int64_t projected, UnetLayout& to) {
  switch (from.class_embed_type) {
    case ClassEmbedType::kNone:
      return;
    case ClassEmbedType::kTable:
      to.class_embedding = ClassEmbedding::kTable;
      to.class_width = from.num_class_embeds;
      return;
    case ClassEmbedType::kTimestep:
      to.class_embedding = ClassEmbedding::kTimestep;
      return;
    case ClassEmbedType::kIdentity:
      to.class_embedding = ClassEmbedding::kIdentity;
      to.class_width = to.time_channels;
      return;
    case ClassEmbedType::kProjection:
    case ClassEmbedType::kSimpleProjection:
      to.class_embedding = from.class_embed_type == ClassEmbedType::kProjection
                               ? ClassEmbedding::kProjection
                               : ClassEmbedding::kSimpleProjection;
      to.class_width = projected;
  }
}

void convert(const UNet2DConfig& from, const ConfigReader& reader, UnetLayout& to) {
  set_blocks(
      from, [&](size_t) { return from.attention_head_dim.value_or(0); },
      [](size_t) { return false; }, to);
  to.time_channels = from.time_embedding_dim;
  to.learned_timesteps = from.num_train_timesteps;
  set_classes(from, 0, to);
  reader.check(to.class_embedding != ClassEmbedding::kTimestep || to.learned_timesteps == 0,
               "class_embed_type", "another one with learned timesteps");
  if (from.mid_block_type != UNetMidBlockType::kNone) {
    to.mid = from.add_attention ? UnetMidKind::kAttention : UnetMidKind::kResnets;
  }
  to.mid_head_width = from.attention_head_dim.value_or(0);
  to.mid_attention_groups =
      from.attn_norm_num_groups.value_or(to.time_scale_shift ? 0 : from.norm_num_groups);
  to.downsamples_by_resnet = from.downsample_type == ResampleType::kResnet;
  to.upsamples_by_resnet = from.upsample_type == ResampleType::kResnet;
}

void set_text(const UNet2DConditionConfig& from, const ConfigReader& reader, UnetLayout& to) {
  const auto is_cross = [](const UnetBlock& block) {
    return block.kind == UnetBlockKind::kCrossAttention;
  };
  const std::vector<int64_t>& dims = from.cross_attention_dim;
  reader.check(std::equal(dims.begin() + 1, dims.end(), dims.begin()), "cross_attention_dim",
               "the same width for all blocks");
  to.cross_attention_dim = dims.front();
  to.projects_text = from.encoder_hid_dim.has_value();
  to.text_width = from.encoder_hid_dim.value_or(dims.front());
  to.text_tokens = reader.integer("text_tokens", kTextTokens, 1, kMaxTokens);
  if (from.addition_embed_text) to.pool_heads = from.addition_embed_type_num_heads;
  reader.check(to.pool_heads == 0 || !to.class_embeddings_concat, "class_embeddings_concat",
               "false with addition_embed_type");
  to.cross_attention_norm = from.cross_attention_group_norm;
  to.reads_text = to.mid == UnetMidKind::kCrossAttention || to.projects_text || to.pool_heads > 0 ||
                  std::any_of(to.down.begin(), to.down.end(), is_cross) ||
                  std::any_of(to.up.begin(), to.up.end(), is_cross);
}

void convert(const UNet2DConditionConfig& from, const ConfigReader& reader, UnetLayout& to) {
  set_blocks(
      from, [&](size_t i) { return from.attention_head_dim[i]; },
      [&](size_t i) { return from.only_cross_attention[i]; }, to);
  to.time_channels = from.time_embedding_dim;
  to.time_condition_width = from.time_cond_proj_dim.value_or(0);
  to.time_activation = to.out_activation = from.act_fn;
  to.embedding_activation = from.time_embedding_act_fn.value_or(Activation::kNone);
  set_classes(from, from.projection_class_embeddings_input_dim, to);
  if (to.class_embedding == ClassEmbedding::kTimestep) to.class_activation = from.act_fn;
  to.class_embeddings_concat = from.class_embeddings_concat;
  if (from.mid_block_type == UNetMidBlockType::kUNetMidBlock2D) to.mid = UnetMidKind::kResnet;
  if (from.mid_block_type == UNetMidBlockType::kSimpleCrossAttn) {
    to.mid = UnetMidKind::kCrossAttention;
  }
  to.mid_head_width = from.attention_head_dim.back();
  to.mid_only_cross_attention = from.mid_block_only_cross_attention;
  to.resnet_skip_time_act = from.resnet_skip_time_act;
  to.resnet_out_scale_factor = static_cast<float>(from.resnet_out_scale_factor);
  set_text(from, reader, to);
}

}  // namespace

UnetLayout unet_layout(const Json& json, const std::string& where) {
  const ConfigReader reader(json, where);
  UnetLayout layout;
  std::visit(
      [&](const auto& from) {
        set_base(from, reader, layout);
        convert(from, reader, layout);
      },
      parse_unet_config(json, where));
  return layout;
}

std::string unet_layout_keys(const Json& json) {
  return keys_of(json, {"_class_name",
                        "act_fn",
                        "add_attention",
                        "addition_embed_type",
                        "addition_embed_type_num_heads",
                        "attention_head_dim",
                        "attn_norm_num_groups",
                        "block_out_channels",
                        "center_input_sample",
                        "class_embed_type",
                        "class_embeddings_concat",
                        "conv_in_kernel",
                        "conv_out_kernel",
                        "cross_attention_dim",
                        "cross_attention_norm",
                        "down_block_types",
                        "downsample_padding",
                        "downsample_type",
                        "encoder_hid_dim",
                        "encoder_hid_dim_type",
                        "flip_sin_to_cos",
                        "freq_shift",
                        "in_channels",
                        "layers_per_block",
                        "low_res_channels",
                        "mid_block_only_cross_attention",
                        "mid_block_scale_factor",
                        "mid_block_type",
                        "norm_eps",
                        "norm_num_groups",
                        "num_class_embeds",
                        "num_train_timesteps",
                        "only_cross_attention",
                        "out_channels",
                        "projection_class_embeddings_input_dim",
                        "resnet_out_scale_factor",
                        "resnet_skip_time_act",
                        "resnet_time_scale_shift",
                        "sample_size",
                        "text_tokens",
                        "time_cond_proj_dim",
                        "time_embedding_act_fn",
                        "time_embedding_dim",
                        "time_embedding_type",
                        "up_block_types",
                        "upsample_type"});
}

}  // namespace ebb
