#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/json.h"
#include "kernels/pointwise/activation.h"

namespace ebb {

// config.json of diffusers' UNet2DModel and UNet2DConditionModel. Fields have diffusers' names and
// defaults; where a field may be one number or a list, this is the list, one entry a level. Keys
// that change nothing in the blocks below (dropout, ...) and unknown keys are ignored.

// A block of one level: DownBlock2D, AttnDownBlock2D, ... or the same with Up.
enum class UNetBlockType {
  kPlain,            // resnets; resampled by a convolution
  kAttn,             // and self-attention; by downsample_type or upsample_type
  kResnet,           // ResnetDownsampleBlock2D: resnets, the last of which resamples
  kSimpleCrossAttn,  // the same with attention to the image and the text's added keys
};

enum class UNetMidBlockType { kNone, kUNetMidBlock2D, kSimpleCrossAttn };

enum class ResampleType { kConv, kResnet };

enum class TimeScaleShift { kDefault, kScaleShift };  // h + e; h * (1 + e[:C]) + e[C:]

enum class ClassEmbedType {
  kNone,
  kTable,             // num_class_embeds rows
  kTimestep,          // sinusoid and MLP
  kIdentity,          // the labels are the vector
  kProjection,        // MLP of projection_class_embeddings_input_dim numbers
  kSimpleProjection,  // one Linear of as many
};

// Fields of both classes.
struct UNetConfigBase {
  std::optional<std::array<int64_t, 2>> sample_size;  // height, width
  int64_t in_channels = 0;
  int64_t out_channels = 0;
  bool center_input_sample = false;  // x <- 2 x - 1
  bool flip_sin_to_cos = true;
  double freq_shift = 0;
  std::vector<UNetBlockType> down_block_types;
  std::vector<UNetBlockType> up_block_types;  // from the lowest level up
  UNetMidBlockType mid_block_type = UNetMidBlockType::kNone;
  std::vector<int64_t> block_out_channels;
  std::vector<int64_t> layers_per_block;  // up block k has one more than its level
  int64_t norm_num_groups = 32;
  double norm_eps = 1e-5;
  Activation act_fn = Activation::kSilu;
  TimeScaleShift resnet_time_scale_shift = TimeScaleShift::kDefault;
  double mid_block_scale_factor = 1;
  int64_t downsample_padding = 1;  // 0: one row below and one column right
  ClassEmbedType class_embed_type = ClassEmbedType::kNone;
  int64_t num_class_embeds = 0;  // of kTable

  size_t levels() const { return block_out_channels.size(); }
  int64_t time_embed_dim() const { return 4 * block_out_channels.front(); }
};

struct UNet2DConfig : UNetConfigBase {
  enum class TimeEmbedding { kPositional, kLearned };

  TimeEmbedding time_embedding_type = TimeEmbedding::kPositional;
  int64_t num_train_timesteps = 0;                // rows of kLearned
  std::optional<int64_t> attention_head_dim = 8;  // width of a head; none: one as wide as C
  std::optional<int64_t> attn_norm_num_groups;    // of the mid block's attention
  bool add_attention = true;                      // in the mid block
  ResampleType downsample_type = ResampleType::kConv;
  ResampleType upsample_type = ResampleType::kConv;
  int64_t time_embedding_dim = 0;  // 4 * block_out_channels[0] unless the file says another
};

struct UNet2DConditionConfig : UNetConfigBase {
  std::vector<bool> only_cross_attention;  // attention to the text alone, without to_k and to_v
  bool mid_block_only_cross_attention = false;
  std::vector<int64_t> cross_attention_dim;
  std::vector<int64_t> attention_head_dim;  // up block i has [i] again, not the reversed list
  std::optional<int64_t> encoder_hid_dim;   // the text's width before encoder_hid_proj
  bool addition_embed_text = false;         // addition_embed_type "text": pooled text
  int64_t addition_embed_type_num_heads = 64;
  int64_t projection_class_embeddings_input_dim = 0;
  bool class_embeddings_concat = false;
  bool resnet_skip_time_act = false;
  double resnet_out_scale_factor = 1;
  int64_t time_embedding_dim = 0;  // 4 * block_out_channels[0] unless the file says another
  std::optional<Activation> time_embedding_act_fn;
  std::optional<int64_t> time_cond_proj_dim;  // its weights exist; no condition is given
  bool cross_attention_group_norm = false;    // cross_attention_norm "group_norm"
};

using UNetConfig = std::variant<UNet2DConfig, UNet2DConditionConfig>;

inline constexpr const char* kUNet2DClass = "UNet2DModel";
inline constexpr const char* kUNet2DConditionClass = "UNet2DConditionModel";

// `class_name`: the class where the file has no _class_name (model_index.json says it). FormatError
// names `label`, the key, its value and what would be supported.
UNetConfig parse_unet_config(const Json& json, const std::string& label,
                             const std::string& class_name = "");

}  // namespace ebb
