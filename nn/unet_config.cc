#include "nn/unet_config.h"

#include <algorithm>

#include "base/error.h"
#include "base/text.h"
#include "nn/config_reader.h"

namespace ebb {
namespace {

constexpr int64_t kMaxChannels = 16384;
constexpr int64_t kMaxLayers = 64;
constexpr int64_t kMaxLevels = 16;
constexpr int64_t kMaxSide = 16384;
constexpr int64_t kMaxRows = 1 << 20;  // of an embedding table

UNetBlockType block_type(const ConfigReader& reader, const char* key, std::string name,
                         bool is_down) {
  constexpr std::string_view kFormerPrefix = "UNetRes";
  if (name.starts_with(kFormerPrefix)) name.erase(0, kFormerPrefix.size());
  const std::string way = is_down ? "Down" : "Up";
  if (name == way + "Block2D") return UNetBlockType::kPlain;
  if (name == "Attn" + way + "Block2D") return UNetBlockType::kAttn;
  if (name == "Resnet" + way + "sampleBlock2D") return UNetBlockType::kResnet;
  if (name == "SimpleCrossAttn" + way + "Block2D") return UNetBlockType::kSimpleCrossAttn;
  reader.refuse(key, way, "Block2D, Attn", way, "Block2D, Resnet", way,
                "sampleBlock2D or SimpleCrossAttn", way, "Block2D: block type ", quoted(name),
                " is not supported");
}

std::vector<UNetBlockType> block_types(const ConfigReader& reader, const char* key,
                                       const std::vector<std::string>& missing, bool is_down,
                                       const UNetConfigBase& config) {
  const std::vector<std::string> names = reader.texts(key, missing);
  std::vector<UNetBlockType> types;
  for (const std::string& name : names) types.push_back(block_type(reader, key, name, is_down));
  reader.check(types.size() == config.levels(), key, "as many entries as block_out_channels, ",
               config.levels());
  return types;
}

Activation activation(const ConfigReader& reader, const char* key, const char* missing) {
  return reader.choice<Activation>(key, missing,
                                   {{"silu", Activation::kSilu},
                                    {"swish", Activation::kSilu},
                                    {"gelu", Activation::kGelu},
                                    {"mish", Activation::kMish},
                                    {"relu", Activation::kRelu}});
}

// A side or (height, width), each a multiple of what the levels halve.
void read_sample_size(const ConfigReader& reader, UNetConfigBase& config) {
  constexpr const char* kKey = "sample_size";
  if (reader.is_null(kKey)) return;
  std::vector<int64_t> sides = reader.is_list(kKey)
                                   ? reader.integers(kKey, {}, 1, kMaxSide)
                                   : std::vector<int64_t>(2, reader.integer(kKey, 0, 1, kMaxSide));
  reader.check(sides.size() == 2, kKey, "one side or two");
  const int64_t factor = int64_t{1} << (config.levels() - 1);
  for (const int64_t side : sides) {
    reader.check(side % factor == 0, kKey, "multiples of ", factor, ", 2^(levels - 1)");
  }
  config.sample_size = {sides[0], sides[1]};
}

struct Defaults {
  int64_t channels;  // in and out
  std::vector<int64_t> block_out_channels;
  std::vector<std::string> down_block_types, up_block_types;
};

void read_base(const ConfigReader& reader, const Defaults& defaults, UNetConfigBase& config) {
  config.block_out_channels =
      reader.integers("block_out_channels", defaults.block_out_channels, 1, kMaxChannels);
  const auto levels = static_cast<int64_t>(config.levels());
  reader.check(levels >= 1 && levels <= kMaxLevels, "block_out_channels", "1..", kMaxLevels,
               " entries");
  read_sample_size(reader, config);
  config.in_channels = reader.integer("in_channels", defaults.channels, 1, kMaxChannels);
  config.out_channels = reader.integer("out_channels", defaults.channels, 1, kMaxChannels);
  config.center_input_sample = reader.boolean("center_input_sample", false);
  config.flip_sin_to_cos = reader.boolean("flip_sin_to_cos", true);
  config.freq_shift = reader.number("freq_shift", 0);
  const int64_t half = config.block_out_channels[0] / 2;
  reader.check(config.freq_shift < static_cast<double>(half), "freq_shift",
               "below half of block_out_channels[0], ", half);
  config.down_block_types =
      block_types(reader, "down_block_types", defaults.down_block_types, true, config);
  config.up_block_types =
      block_types(reader, "up_block_types", defaults.up_block_types, false, config);
  config.norm_num_groups = reader.integer("norm_num_groups", 32, 1, kMaxChannels);
  for (const int64_t channels : config.block_out_channels) {
    reader.check(channels % config.norm_num_groups == 0, "norm_num_groups", "a divisor of all ",
                 "block_out_channels, one of which is ", channels);
  }
  config.norm_eps = reader.positive("norm_eps", 1e-5);
  config.act_fn = activation(reader, "act_fn", "silu");
  config.resnet_time_scale_shift = reader.choice<TimeScaleShift>(
      "resnet_time_scale_shift", "default",
      {{"default", TimeScaleShift::kDefault}, {"scale_shift", TimeScaleShift::kScaleShift}});
  config.mid_block_scale_factor = reader.positive("mid_block_scale_factor", 1);
  config.downsample_padding = reader.integer("downsample_padding", 1, 0, 1);
}

void read_classes(const ConfigReader& reader, UNetConfigBase& config) {
  const std::optional<int64_t> rows = reader.optional_integer("num_class_embeds", 1, kMaxRows);
  if (config.class_embed_type != ClassEmbedType::kNone || !rows) return;
  config.class_embed_type = ClassEmbedType::kTable;
  config.num_class_embeds = *rows;
}

bool attends(UNetBlockType type) {
  return type == UNetBlockType::kAttn || type == UNetBlockType::kSimpleCrossAttn;
}

// Heads of this width divide the channels of every level that attends, and of the mid block.
template <typename HeadDim>
void check_heads(const ConfigReader& reader, const UNetConfigBase& config, bool mid_attends,
                 const HeadDim& head_dim) {
  const size_t levels = config.levels();
  const auto check = [&](size_t level, size_t entry) {
    const int64_t channels = config.block_out_channels[level];
    reader.check(channels % head_dim(entry) == 0, "attention_head_dim", "a divisor of the ",
                 channels, " channels of a level that attends");
  };
  for (size_t i = 0; i < levels; ++i) {
    if (attends(config.down_block_types[i])) check(i, i);
    if (attends(config.up_block_types[i])) check(levels - 1 - i, i);
  }
  if (mid_attends) check(levels - 1, levels - 1);
}

ResampleType resample_type(const ConfigReader& reader, const char* key) {
  return reader.choice<ResampleType>(
      key, "conv", {{"conv", ResampleType::kConv}, {"resnet", ResampleType::kResnet}});
}

void refuse_text_blocks(const ConfigReader& reader, const char* key,
                        const std::vector<UNetBlockType>& types) {
  const bool any = std::count(types.begin(), types.end(), UNetBlockType::kSimpleCrossAttn) > 0;
  reader.check(!any, key, "no attention to a text, which UNet2DModel does not have");
}

UNet2DConfig parse_2d(const ConfigReader& reader) {
  UNet2DConfig config;
  const Defaults defaults = {
      3,
      {224, 448, 672, 896},
      {"DownBlock2D", "AttnDownBlock2D", "AttnDownBlock2D", "AttnDownBlock2D"},
      {"AttnUpBlock2D", "AttnUpBlock2D", "AttnUpBlock2D", "UpBlock2D"}};
  read_base(reader, defaults, config);
  refuse_text_blocks(reader, "down_block_types", config.down_block_types);
  refuse_text_blocks(reader, "up_block_types", config.up_block_types);
  config.layers_per_block.assign(config.levels(),
                                 reader.integer("layers_per_block", 2, 1, kMaxLayers));
  config.mid_block_type = reader.choice<UNetMidBlockType>(
      "mid_block_type", "UNetMidBlock2D",
      {{"UNetMidBlock2D", UNetMidBlockType::kUNetMidBlock2D}, {"null", UNetMidBlockType::kNone}});
  config.class_embed_type =
      reader.choice<ClassEmbedType>("class_embed_type", "null",
                                    {{"null", ClassEmbedType::kNone},
                                     {"timestep", ClassEmbedType::kTimestep},
                                     {"identity", ClassEmbedType::kIdentity}});
  read_classes(reader, config);
  using Time = UNet2DConfig::TimeEmbedding;
  config.time_embedding_type =
      reader.choice<Time>("time_embedding_type", "positional",
                          {{"positional", Time::kPositional}, {"learned", Time::kLearned}});
  if (config.time_embedding_type == Time::kLearned) {
    reader.check(!reader.is_null("num_train_timesteps"), "num_train_timesteps", "a number");
    config.num_train_timesteps = reader.integer("num_train_timesteps", 0, 1, kMaxRows);
  }
  // Absent means 8, null means one head.
  config.attention_head_dim = reader.optional_integer("attention_head_dim", 1, kMaxChannels);
  if (!reader.has("attention_head_dim")) config.attention_head_dim = 8;
  config.add_attention = reader.boolean("add_attention", true);
  const bool mid_attends = config.mid_block_type != UNetMidBlockType::kNone && config.add_attention;
  if (config.attention_head_dim) {
    check_heads(reader, config, mid_attends, [&](size_t) { return *config.attention_head_dim; });
  }
  config.attn_norm_num_groups = reader.optional_integer("attn_norm_num_groups", 1, kMaxChannels);
  reader.check(config.block_out_channels.back() % config.attn_norm_num_groups.value_or(1) == 0,
               "attn_norm_num_groups", "a divisor of ", config.block_out_channels.back());
  config.downsample_type = resample_type(reader, "downsample_type");
  config.upsample_type = resample_type(reader, "upsample_type");
  config.time_embedding_dim = reader.optional_integer("time_embedding_dim", 1, 4 * kMaxChannels)
                                  .value_or(config.time_embed_dim());
  return config;
}

void check_null(const ConfigReader& reader, const char* key) {
  reader.check(reader.is_null(key), key, "null");
}

void read_text(const ConfigReader& reader, UNet2DConditionConfig& config) {
  config.cross_attention_dim =
      reader.per_level("cross_attention_dim", 1280, config.levels(), 1, kMaxChannels);
  config.encoder_hid_dim = reader.optional_integer("encoder_hid_dim", 1, kMaxChannels);
  // A width without a type means text_proj: files before the type was there.
  const bool projects =
      reader.choice<bool>("encoder_hid_dim_type", "null", {{"null", false}, {"text_proj", true}});
  reader.check(!projects || config.encoder_hid_dim, "encoder_hid_dim", "a width for text_proj");
  config.addition_embed_text =
      reader.choice<bool>("addition_embed_type", "null", {{"null", false}, {"text", true}});
  config.addition_embed_type_num_heads =
      reader.integer("addition_embed_type_num_heads", 64, 1, kMaxChannels);
  const int64_t pooled = config.encoder_hid_dim.value_or(config.cross_attention_dim[0]);
  reader.check(!config.addition_embed_text || pooled % config.addition_embed_type_num_heads == 0,
               "addition_embed_type_num_heads", "a divisor of the text's width ", pooled);
  config.cross_attention_group_norm =
      reader.choice<bool>("cross_attention_norm", "null", {{"null", false}, {"group_norm", true}});
  for (const int64_t width : config.cross_attention_dim) {
    constexpr int64_t kGroups = 32;  // whatever norm_num_groups says
    reader.check(!config.cross_attention_group_norm || width % kGroups == 0, "cross_attention_dim",
                 "multiples of ", kGroups, " with cross_attention_norm");
  }
  config.only_cross_attention =
      reader.booleans_per_level("only_cross_attention", false, config.levels());
  const bool everywhere = !reader.is_list("only_cross_attention") && config.only_cross_attention[0];
  config.mid_block_only_cross_attention =
      reader.is_null("mid_block_only_cross_attention")
          ? everywhere
          : reader.boolean("mid_block_only_cross_attention", false);
}

void read_condition_classes(const ConfigReader& reader, UNet2DConditionConfig& config) {
  config.class_embed_type =
      reader.choice<ClassEmbedType>("class_embed_type", "null",
                                    {{"null", ClassEmbedType::kNone},
                                     {"timestep", ClassEmbedType::kTimestep},
                                     {"identity", ClassEmbedType::kIdentity},
                                     {"projection", ClassEmbedType::kProjection},
                                     {"simple_projection", ClassEmbedType::kSimpleProjection}});
  read_classes(reader, config);
  const bool projects = config.class_embed_type == ClassEmbedType::kProjection ||
                        config.class_embed_type == ClassEmbedType::kSimpleProjection;
  constexpr const char* kWidth = "projection_class_embeddings_input_dim";
  if (projects) {
    reader.check(!reader.is_null(kWidth), kWidth, "the width of the labels");
    config.projection_class_embeddings_input_dim = reader.integer(kWidth, 0, 1, kMaxChannels);
  }
  config.class_embeddings_concat = reader.boolean("class_embeddings_concat", false);
}

void read_time(const ConfigReader& reader, UNet2DConditionConfig& config) {
  reader.choice<bool>("time_embedding_type", "positional", {{"positional", true}});
  config.time_embedding_dim = reader.optional_integer("time_embedding_dim", 1, 4 * kMaxChannels)
                                  .value_or(config.time_embed_dim());
  if (!reader.is_null("time_embedding_act_fn")) {
    config.time_embedding_act_fn = activation(reader, "time_embedding_act_fn", "silu");
  }
  check_null(reader, "timestep_post_act");
  config.time_cond_proj_dim = reader.optional_integer("time_cond_proj_dim", 1, kMaxChannels);
}

UNet2DConditionConfig parse_condition(const ConfigReader& reader) {
  UNet2DConditionConfig config;
  const Defaults defaults = {
      4,
      {320, 640, 1280, 1280},
      {"CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"},
      {"UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"}};
  read_base(reader, defaults, config);
  config.layers_per_block = reader.per_level("layers_per_block", 2, config.levels(), 1, kMaxLayers);
  config.mid_block_type = reader.choice<UNetMidBlockType>(
      "mid_block_type", "UNetMidBlock2DCrossAttn",
      {{"UNetMidBlock2DSimpleCrossAttn", UNetMidBlockType::kSimpleCrossAttn},
       {"UNetMidBlock2D", UNetMidBlockType::kUNetMidBlock2D},
       {"null", UNetMidBlockType::kNone}});
  check_null(reader, "num_attention_heads");
  config.attention_head_dim =
      reader.per_level("attention_head_dim", 8, config.levels(), 1, kMaxChannels);
  const bool mid_attends = config.mid_block_type == UNetMidBlockType::kSimpleCrossAttn;
  check_heads(reader, config, mid_attends,
              [&](size_t entry) { return config.attention_head_dim[entry]; });
  read_text(reader, config);
  read_condition_classes(reader, config);
  read_time(reader, config);
  config.resnet_skip_time_act = reader.boolean("resnet_skip_time_act", false);
  config.resnet_out_scale_factor = reader.positive("resnet_out_scale_factor", 1);
  for (const char* key : {"conv_in_kernel", "conv_out_kernel"}) reader.integer(key, 3, 3, 3);
  return config;
}

}  // namespace

UNetConfig parse_unet_config(const Json& json, const std::string& label,
                             const std::string& class_name) {
  const ConfigReader reader(json, label);
  const std::string name = reader.text("_class_name", class_name);
  if (name == kUNet2DClass) return parse_2d(reader);
  if (name == kUNet2DConditionClass) return parse_condition(reader);
  reader.refuse("_class_name", kUNet2DClass, " or ", kUNet2DConditionClass);
}

}  // namespace ebb
