#include "nn/unet_diffusers_config.h"

#include <algorithm>

#include "nn/config_keys.h"

namespace ebb {
namespace {

constexpr int64_t kMaxLevels = 16, kMaxSide = 1 << 14;
constexpr int64_t kTextTokens = 77;  // what DeepFloyd IF pads prompts to

constexpr std::pair<const char*, Activation> kActivations[] = {{"silu", Activation::kSilu},
                                                               {"swish", Activation::kSilu},
                                                               {"gelu", Activation::kGelu},
                                                               {"mish", Activation::kMish},
                                                               {"relu", Activation::kRelu}};

Activation activation(const ConfigKeys& keys, const char* key, const char* missing) {
  std::string name = keys.text(key, missing);
  for (char& c : name) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
  return keys.choice<Activation>(key, name, {std::begin(kActivations), std::end(kActivations)});
}

void read_images(const ConfigKeys& keys, bool conditional, UnetDiffusersConfig& config) {
  const int64_t channels = conditional ? 4 : 3;
  config.in_channels = keys.integer("in_channels", channels);
  config.out_channels = keys.integer("out_channels", channels);
  config.low_res_channels = keys.integer("low_res_channels", 0, 0, config.in_channels - 1);
  config.center_input_sample = keys.boolean("center_input_sample", false);
  const Json* size = keys.find("sample_size");
  keys.check(size != nullptr && !size->is_null(), "sample_size",
             "the height and width of the images");
  const std::vector<int64_t> sides = keys.integers("sample_size", 0, 2);
  config.height = sides[0];
  config.width = sides[1];
  const int64_t step = int64_t{1} << (config.down.size() - 1);
  const bool fits = config.height % step == 0 && config.width % step == 0 &&
                    std::max(config.height, config.width) <= kMaxSide;
  keys.check(fits, "sample_size", "multiples of ", step, " up to ", kMaxSide);
  if (!conditional) return;
  config.conv_in_kernel = keys.integer("conv_in_kernel", 3, 1, 15);
  config.conv_out_kernel = keys.integer("conv_out_kernel", 3, 1, 15);
  keys.check(config.conv_in_kernel % 2 == 1, "conv_in_kernel", "an odd number");
  keys.check(config.conv_out_kernel % 2 == 1, "conv_out_kernel", "an odd number");
}

void read_time(const ConfigKeys& keys, bool conditional, UnetDiffusersConfig& config) {
  config.flip_sin_to_cos = keys.boolean("flip_sin_to_cos", true);
  config.freq_shift = keys.number("freq_shift", 0);
  const int64_t width = config.down.front().channels;
  keys.check(config.freq_shift < static_cast<double>(width / 2), "freq_shift",
             "less than half of the first block's ", width, " channels");
  const bool learned = keys.named<bool>(
      "time_embedding_type", "positional",
      conditional
          ? std::vector<std::pair<const char*, bool>>{{"positional", false}}
          : std::vector<std::pair<const char*, bool>>{{"positional", false}, {"learned", true}});
  if (learned) {
    keys.check(!keys.is_null("num_train_timesteps"), "num_train_timesteps",
               "the number of learned timesteps");
    config.learned_timesteps = keys.integer("num_train_timesteps", 0);
  }
  config.time_channels =
      keys.is_null("time_embedding_dim") ? 4 * width : keys.integer("time_embedding_dim", 0);
  if (!conditional) return;
  config.time_activation = config.activation;
  if (!keys.is_null("time_embedding_act_fn")) {
    config.embedding_activation = activation(keys, "time_embedding_act_fn", "");
  }
  keys.refuse("timestep_post_act");
  if (!keys.is_null("time_cond_proj_dim")) {
    config.time_condition_width = keys.integer("time_cond_proj_dim", 0);
  }
}

void read_class(const ConfigKeys& keys, bool conditional, UnetDiffusersConfig& config) {
  if (keys.is_null("class_embed_type")) {
    if (keys.is_null("num_class_embeds")) return;
    config.class_embedding = ClassEmbedding::kTable;
    config.class_width = keys.integer("num_class_embeds", 0);
  } else {
    using Choice = std::pair<const char*, ClassEmbedding>;
    std::vector<Choice> choices{{"timestep", ClassEmbedding::kTimestep},
                                {"identity", ClassEmbedding::kIdentity}};
    if (conditional) {
      choices.insert(choices.end(),
                     {Choice{"projection", ClassEmbedding::kProjection},
                      Choice{"simple_projection", ClassEmbedding::kSimpleProjection}});
    }
    config.class_embedding = keys.named<ClassEmbedding>("class_embed_type", "", choices);
  }
  const bool timestep = config.class_embedding == ClassEmbedding::kTimestep;
  if (config.class_embedding == ClassEmbedding::kIdentity)
    config.class_width = config.time_channels;
  if (config.class_embedding == ClassEmbedding::kProjection ||
      config.class_embedding == ClassEmbedding::kSimpleProjection) {
    const char* key = "projection_class_embeddings_input_dim";
    keys.check(!keys.is_null(key), key, "the width of the class vector");
    config.class_width = keys.integer(key, 0);
  }
  if (conditional && timestep) config.class_activation = config.activation;
  if (conditional) config.class_embeddings_concat = keys.boolean("class_embeddings_concat", false);
  keys.check(!(timestep && config.learned_timesteps > 0), "class_embed_type",
             "another one with learned timesteps");
}

void read_text(const ConfigKeys& keys, UnetDiffusersConfig& config) {
  const auto is_cross = [](const UnetBlock& block) {
    return block.kind == UnetBlockKind::kCrossAttention;
  };
  const std::vector<int64_t> dims = keys.integers("cross_attention_dim", 1280, config.down.size());
  keys.check(std::equal(dims.begin() + 1, dims.end(), dims.begin()), "cross_attention_dim",
             "the same width for all blocks");
  config.cross_attention_dim = config.text_width = dims.front();
  config.projects_text = !keys.is_null("encoder_hid_dim");
  if (!keys.is_null("encoder_hid_dim_type")) {
    keys.named<bool>("encoder_hid_dim_type", "", {{"text_proj", true}});
    keys.check(config.projects_text, "encoder_hid_dim", "the width of the text states");
  }
  if (config.projects_text) config.text_width = keys.integer("encoder_hid_dim", 0);
  if (!keys.is_null("addition_embed_type")) {
    keys.named<bool>("addition_embed_type", "", {{"text", true}});
    config.pool_heads = keys.integer("addition_embed_type_num_heads", 64);
    keys.check(config.text_width % config.pool_heads == 0, "addition_embed_type_num_heads",
               "a divisor of the text's width ", config.text_width);
    keys.check(!config.class_embeddings_concat, "class_embeddings_concat",
               "false with addition_embed_type");
  }
  if (!keys.is_null("cross_attention_norm")) {
    config.cross_attention_norm =
        keys.named<bool>("cross_attention_norm", "", {{"group_norm", true}});
    keys.check(config.cross_attention_dim % 32 == 0, "cross_attention_norm",
               "null where cross_attention_dim ", config.cross_attention_dim,
               " is no multiple of 32");
  }
  config.reads_text = config.mid == UnetMidKind::kCrossAttention || config.projects_text ||
                      config.pool_heads > 0 ||
                      std::any_of(config.down.begin(), config.down.end(), is_cross) ||
                      std::any_of(config.up.begin(), config.up.end(), is_cross);
  config.text_tokens = keys.integer("text_tokens", kTextTokens);
}

UnetBlockKind block_kind(const ConfigKeys& keys, const char* key, std::string name, bool down,
                         bool conditional) {
  if (name.starts_with("UNetRes")) name = name.substr(7);
  using Choice = std::pair<const char*, UnetBlockKind>;
  std::vector<Choice> choices{
      {down ? "DownBlock2D" : "UpBlock2D", UnetBlockKind::kPlain},
      {down ? "AttnDownBlock2D" : "AttnUpBlock2D", UnetBlockKind::kAttention},
      {down ? "ResnetDownsampleBlock2D" : "ResnetUpsampleBlock2D", UnetBlockKind::kResnet}};
  if (conditional) {
    choices.push_back({down ? "SimpleCrossAttnDownBlock2D" : "SimpleCrossAttnUpBlock2D",
                       UnetBlockKind::kCrossAttention});
  }
  return keys.choice<UnetBlockKind>(key, name, choices);
}

// The kinds of blocks, whose lists say how many levels there are.
void read_kinds(const ConfigKeys& keys, bool conditional, UnetDiffusersConfig& config) {
  const auto down =
      keys.texts("down_block_types",
                 conditional ? std::vector<std::string>(4, "CrossAttnDownBlock2D")
                             : std::vector<std::string>{"DownBlock2D", "AttnDownBlock2D",
                                                        "AttnDownBlock2D", "AttnDownBlock2D"});
  const auto up = keys.texts(
      "up_block_types", conditional ? std::vector<std::string>(4, "CrossAttnUpBlock2D")
                                    : std::vector<std::string>{"AttnUpBlock2D", "AttnUpBlock2D",
                                                               "AttnUpBlock2D", "UpBlock2D"});
  keys.check(!down.empty() && down.size() <= kMaxLevels, "down_block_types", "1..", kMaxLevels,
             " blocks");
  keys.check(up.size() == down.size(), "up_block_types", "as many as down_block_types, ",
             down.size());
  for (size_t i = 0; i < down.size(); ++i) {
    config.down.push_back(
        {.kind = block_kind(keys, "down_block_types", down[i], true, conditional)});
    config.up.push_back({.kind = block_kind(keys, "up_block_types", up[i], false, conditional)});
  }
}

// Whether an attention of so many channels has at least one head.
void check_heads(const ConfigKeys& keys, const UnetBlock& block) {
  const bool attends =
      block.kind == UnetBlockKind::kAttention || block.kind == UnetBlockKind::kCrossAttention;
  keys.check(!attends || block.head_width <= block.channels, "attention_head_dim",
             "at most the block's ", block.channels, " channels");
  keys.check(block.kind != UnetBlockKind::kCrossAttention || block.channels % block.head_width == 0,
             "attention_head_dim", "a divisor of the block's ", block.channels, " channels");
}

// Widths, layers and heads. The list of head widths is not reversed for the way up.
void read_levels(const ConfigKeys& keys, bool conditional, UnetDiffusersConfig& config) {
  const size_t levels = config.down.size();
  std::vector<int64_t> channels = conditional ? std::vector<int64_t>{320, 640, 1280, 1280}
                                              : std::vector<int64_t>{224, 448, 672, 896};
  const Json* given = keys.find("block_out_channels");
  keys.check(given != nullptr ? given->is_array() : levels == 4, "block_out_channels",
             "one number for each of ", levels, " blocks");
  if (given != nullptr) channels = keys.integers("block_out_channels", 0, levels);
  const std::vector<int64_t> layers = keys.integers("layers_per_block", 2, levels);
  const bool one_head = !conditional && keys.find("attention_head_dim") != nullptr &&
                        keys.is_null("attention_head_dim");
  const std::vector<int64_t> heads =
      one_head ? std::vector<int64_t>(levels, 0) : keys.integers("attention_head_dim", 8, levels);
  const std::vector<bool> only = conditional ? keys.booleans("only_cross_attention", false, levels)
                                             : std::vector<bool>(levels, false);
  for (size_t i = 0; i < levels; ++i) {
    const size_t below = levels - 1 - i;
    config.down[i] = {config.down[i].kind, channels[i], layers[i], heads[i], only[i]};
    config.up[i] = {config.up[i].kind, channels[below], layers[below] + 1, heads[i], only[below]};
    check_heads(keys, config.down[i]);
    check_heads(keys, config.up[i]);
  }
}

void read_mid(const ConfigKeys& keys, bool conditional, UnetDiffusersConfig& config) {
  config.mid_head_width = config.down.back().head_width;
  config.mid_block_scale_factor = static_cast<float>(keys.number("mid_block_scale_factor", 1));
  const bool null = keys.find("mid_block_type") != nullptr && keys.is_null("mid_block_type");
  if (conditional) {
    using Choice = std::pair<const char*, UnetMidKind>;
    const std::vector<Choice> choices{
        {"UNetMidBlock2DSimpleCrossAttn", UnetMidKind::kCrossAttention},
        {"UNetMidBlock2D", UnetMidKind::kResnet}};
    if (!null) {
      config.mid = keys.named<UnetMidKind>("mid_block_type", "UNetMidBlock2DCrossAttn", choices);
    }
    const Json* only = keys.find("only_cross_attention");
    const bool for_all = only != nullptr && only->is_boolean() && only->get<bool>();
    config.mid_only_cross_attention = keys.is_null("mid_block_only_cross_attention")
                                          ? for_all
                                          : keys.boolean("mid_block_only_cross_attention", false);
  } else if (!null) {
    keys.named<bool>("mid_block_type", "UNetMidBlock2D", {{"UNetMidBlock2D", true}});
    config.mid =
        keys.boolean("add_attention", true) ? UnetMidKind::kAttention : UnetMidKind::kResnets;
  }
  check_heads(keys, {.kind = config.mid == UnetMidKind::kAttention ||
                                     config.mid == UnetMidKind::kCrossAttention
                                 ? UnetBlockKind::kAttention
                                 : UnetBlockKind::kPlain,
                     .channels = config.down.back().channels,
                     .head_width = config.mid_head_width});
  config.mid_attention_groups =
      config.time_scale_shift && !conditional ? 0 : config.norm_num_groups;
  if (!conditional && !keys.is_null("attn_norm_num_groups")) {
    config.mid_attention_groups = keys.integer("attn_norm_num_groups", 0);
  }
}

void read_resnets(const ConfigKeys& keys, bool conditional, UnetDiffusersConfig& config) {
  config.activation = activation(keys, "act_fn", "silu");
  if (conditional) config.out_activation = config.activation;
  config.norm_num_groups = keys.integer("norm_num_groups", 32);
  config.norm_eps = static_cast<float>(keys.number("norm_eps", 1e-5));
  config.time_scale_shift = keys.named<bool>("resnet_time_scale_shift", "default",
                                             {{"default", false}, {"scale_shift", true}});
  config.downsample_padding = keys.integer("downsample_padding", 1, 0, 1);
  using Choice = std::pair<const char*, bool>;
  const std::vector<Choice> resampling{{"conv", false}, {"resnet", true}};
  if (!conditional) {
    config.downsamples_by_resnet =
        !keys.is_null("downsample_type") && keys.named<bool>("downsample_type", "", resampling);
    config.upsamples_by_resnet =
        !keys.is_null("upsample_type") && keys.named<bool>("upsample_type", "", resampling);
    return;
  }
  config.resnet_skip_time_act = keys.boolean("resnet_skip_time_act", false);
  config.resnet_out_scale_factor = static_cast<float>(keys.number("resnet_out_scale_factor", 1));
  keys.check(config.resnet_out_scale_factor != 0, "resnet_out_scale_factor", "a number but 0");
  keys.refuse("num_attention_heads");
}

// Every norm and every sum must fit: what diffusers refuses when it builds the model.
void check_groups(const ConfigKeys& keys, const UnetDiffusersConfig& config) {
  std::vector<int64_t> widths;
  int64_t before = config.down.back().channels;
  for (const UnetBlock& block : config.down) widths.push_back(block.channels);
  for (size_t i = 0; i < config.up.size(); ++i) {
    const int64_t own = config.up[i].channels;
    const int64_t next = config.up[std::min(i + 1, config.up.size() - 1)].channels;
    if (config.up[i].resnets > 2) widths.push_back(2 * own);
    widths.insert(widths.end(), {before + own, own + next});
    before = own;
  }
  for (const int64_t width : widths) {
    keys.check(width % config.norm_num_groups == 0, "norm_num_groups", "a divisor of the ", width,
               " channels that a resnet normalizes");
  }
  const int64_t middle = config.down.back().channels;
  keys.check(config.mid_attention_groups == 0 || middle % config.mid_attention_groups == 0,
             "attn_norm_num_groups", "a divisor of the mid block's ", middle, " channels");
  keys.check(config.mid_block_scale_factor != 0, "mid_block_scale_factor", "a number but 0");
}

}  // namespace

UnetDiffusersConfig parse_unet_diffusers(const Json& json, const std::string& where) {
  const bool conditional = one_of<bool>(json, where, "_class_name",
                                        {{"UNet2DModel", false}, {"UNet2DConditionModel", true}});
  const ConfigKeys keys(json, where);
  UnetDiffusersConfig config;
  read_kinds(keys, conditional, config);
  read_levels(keys, conditional, config);
  read_resnets(keys, conditional, config);
  read_mid(keys, conditional, config);
  read_images(keys, conditional, config);
  read_time(keys, conditional, config);
  read_class(keys, conditional, config);
  if (conditional) read_text(keys, config);
  check_groups(keys, config);
  return config;
}

std::string known_unet_diffusers_keys(const Json& json) {
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
