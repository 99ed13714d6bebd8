#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "kernels/pointwise/activation.h"

namespace ebb {

// The layers beside the resnets of a block: diffusers' DownBlock2D and UpBlock2D;
// AttnDownBlock2D and AttnUpBlock2D; ResnetDownsampleBlock2D and ResnetUpsampleBlock2D;
// SimpleCrossAttnDownBlock2D and SimpleCrossAttnUpBlock2D.
enum class UnetBlockKind { kPlain, kAttention, kResnet, kCrossAttention };

enum class UnetMidKind {
  kNone,
  kResnet,          // one resnet
  kResnets,         // two
  kAttention,       // resnet, self-attention, resnet
  kCrossAttention,  // resnet, attention with text keys, resnet
};

// One block of the way down or up, in the order in which it runs.
struct UnetBlock {
  UnetBlockKind kind = UnetBlockKind::kPlain;
  int64_t channels = 0;
  int64_t resnets = 0;
  int64_t head_width = 0;  // numbers per head of the attentions; 0: one head of all channels
  bool only_cross_attention = false;  // keys and values are the text alone
};

// The source of the class vector, which is joined to that of the time.
enum class ClassEmbedding {
  kNone,
  kTable,             // of a class id
  kTimestep,          // of a number, as the time: the noise of the image to enlarge
  kIdentity,          // the vector itself
  kProjection,        // two layers of a vector
  kSimpleProjection,  // one layer of a vector
};

// The network that config.json of a UNet2DModel or a UNet2DConditionModel describes
// (nn/unet_config.h): what differs between the two classes is resolved, and blocks are in the order
// in which they run. Names are diffusers' where they are not explained.
struct UnetLayout {
  int64_t height = 0, width = 0;  // of sample_size
  int64_t in_channels = 0, out_channels = 0;
  // The last of in_channels: an enlarged image that is an input of its own (super-resolution).
  int64_t low_res_channels = 0;
  bool center_input_sample = false;

  // The conditioning vector.
  bool flip_sin_to_cos = true;
  double freq_shift = 0;
  int64_t learned_timesteps = 0;     // entries of time_embedding_type "learned"; 0: positional
  int64_t time_channels = 0;         // E: width of the time embedding
  int64_t time_condition_width = 0;  // time_cond_proj_dim: of a layer that nothing goes through
  Activation time_activation = Activation::kSilu;       // inside the MLP of the time
  Activation embedding_activation = Activation::kNone;  // time_embedding_act_fn
  ClassEmbedding class_embedding = ClassEmbedding::kNone;
  int64_t class_width = 0;  // classes of kTable, numbers of kIdentity and the projections
  Activation class_activation = Activation::kSilu;
  bool class_embeddings_concat = false;

  // Text.
  bool reads_text = false;
  int64_t text_tokens = 0, text_width = 0;  // R, S
  int64_t cross_attention_dim = 0;          // X
  bool projects_text = false;               // encoder_hid_proj, S -> X
  int64_t pool_heads = 0;                   // of addition_embed_type "text"; 0: no pooling
  bool cross_attention_norm = false;        // group_norm

  // Blocks.
  std::vector<UnetBlock> down, up;
  UnetMidKind mid = UnetMidKind::kNone;
  int64_t mid_head_width = 0;
  bool mid_only_cross_attention = false;
  float mid_block_scale_factor = 1;
  int64_t mid_attention_groups = 0;  // 0: no group_norm in front of the mid block's attention
  int64_t downsample_padding = 1;
  // Whether kAttention blocks resample by a resnet, not by a convolution.
  bool downsamples_by_resnet = false, upsamples_by_resnet = false;

  // Resnets and attentions.
  Activation activation = Activation::kSilu;
  Activation out_activation = Activation::kSilu;  // before conv_out
  int64_t norm_num_groups = 32;
  float norm_eps = 1e-5f;
  bool time_scale_shift = false;  // resnet_time_scale_shift "scale_shift"
  bool resnet_skip_time_act = false;
  float resnet_out_scale_factor = 1;

  int64_t embedding_width() const {
    return class_embeddings_concat ? 2 * time_channels : time_channels;
  }
};

// Reads config.json and two keys of ebb's own, "low_res_channels" (default 0) and "text_tokens"
// (77). sample_size must be given. FormatError names `where`, the key and its value where something
// is not supported.
UnetLayout unet_layout(const Json& json, const std::string& where);

// The keys that it reads, as text: what a model file keeps.
std::string unet_layout_keys(const Json& json);

}  // namespace ebb
