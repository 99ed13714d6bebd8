#include "nn/unet_config.h"

#include <filesystem>

#include "testing/catch.h"
#include "testing/errors.h"
#include "testing/temp_dir.h"
#include "tests/fuzz/targets.h"

namespace ebb {
namespace {

using Catch::Matchers::Contains;
using test::message_of;

const std::string kLabel = "unet/config.json";

UNetConfig parse(const std::string& json) { return parse_unet_config(Json::parse(json), kLabel); }

Json small_2d() {
  return Json::parse(R"({
    "_class_name": "UNet2DModel", "sample_size": 32, "in_channels": 1, "out_channels": 2,
    "layers_per_block": 2, "block_out_channels": [32, 64], "norm_num_groups": 32,
    "down_block_types": ["DownBlock2D", "AttnDownBlock2D"],
    "up_block_types": ["AttnUpBlock2D", "UpBlock2D"], "attention_head_dim": 8})");
}

// As the published config of stage I says, but for its widths.
Json small_if() {
  return Json::parse(R"({
    "_class_name": "UNet2DConditionModel", "_diffusers_version": "0.17.0", "act_fn": "gelu",
    "addition_embed_type": "text", "addition_embed_type_num_heads": 64, "attention_head_dim": 64,
    "block_out_channels": [64, 128, 192, 256], "center_input_sample": false,
    "class_embed_type": null, "class_embeddings_concat": false, "conv_in_kernel": 3,
    "conv_out_kernel": 3, "cross_attention_dim": 256, "cross_attention_norm": "group_norm",
    "down_block_types": ["ResnetDownsampleBlock2D", "SimpleCrossAttnDownBlock2D",
                         "SimpleCrossAttnDownBlock2D", "SimpleCrossAttnDownBlock2D"],
    "downsample_padding": 1, "dual_cross_attention": false, "encoder_hid_dim": 4096,
    "encoder_hid_dim_type": "text_proj", "flip_sin_to_cos": true, "freq_shift": 0,
    "in_channels": 3, "layers_per_block": 3, "mid_block_only_cross_attention": null,
    "mid_block_scale_factor": 1, "mid_block_type": "UNetMidBlock2DSimpleCrossAttn",
    "norm_eps": 1e-05, "norm_num_groups": 32, "num_class_embeds": null,
    "only_cross_attention": false, "out_channels": 6, "resnet_out_scale_factor": 1.0,
    "resnet_skip_time_act": false, "resnet_time_scale_shift": "scale_shift", "sample_size": 64,
    "time_cond_proj_dim": null, "time_embedding_act_fn": null, "time_embedding_dim": null,
    "time_embedding_type": "positional", "timestep_post_act": null,
    "up_block_types": ["SimpleCrossAttnUpBlock2D", "SimpleCrossAttnUpBlock2D",
                       "SimpleCrossAttnUpBlock2D", "ResnetUpsampleBlock2D"],
    "upcast_attention": false, "use_linear_projection": false})");
}

template <typename Config>
Config as(const Json& json) {
  return std::get<Config>(parse_unet_config(json, kLabel));
}

// The error when one key has another value.
std::string refusal(Json json, const std::string& key, const Json& value) {
  json[key] = value;
  return message_of<FormatError>([&] { parse_unet_config(json, kLabel); });
}

TEST_CASE("UNet2DModel: what the file says") {
  const auto config = as<UNet2DConfig>(small_2d());
  CHECK(config.sample_size == std::array<int64_t, 2>{32, 32});
  CHECK(config.in_channels == 1);
  CHECK(config.out_channels == 2);
  CHECK(config.block_out_channels == std::vector<int64_t>{32, 64});
  CHECK(config.layers_per_block == std::vector<int64_t>{2, 2});
  CHECK(config.down_block_types == std::vector{UNetBlockType::kPlain, UNetBlockType::kAttn});
  CHECK(config.up_block_types == std::vector{UNetBlockType::kAttn, UNetBlockType::kPlain});
  CHECK(config.attention_head_dim == 8);
  CHECK(config.time_embed_dim() == 128);
}

TEST_CASE("UNet2DModel: keys that are absent take diffusers' defaults") {
  const auto config = as<UNet2DConfig>(Json::parse(R"({"_class_name": "UNet2DModel"})"));
  CHECK(config.block_out_channels == std::vector<int64_t>{224, 448, 672, 896});
  CHECK(config.in_channels == 3);
  CHECK_FALSE(config.sample_size.has_value());
  CHECK(config.flip_sin_to_cos);
  CHECK(config.freq_shift == 0);
  CHECK(config.norm_eps == 1e-5);
  CHECK(config.norm_num_groups == 32);
  CHECK(config.downsample_padding == 1);
  CHECK(config.attention_head_dim == 8);
  CHECK(config.add_attention);
  CHECK(config.mid_block_type == UNetMidBlockType::kUNetMidBlock2D);
  CHECK(config.class_embed_type == ClassEmbedType::kNone);
}

TEST_CASE("UNet2DModel: the groups of published models") {
  Json ddpm = small_2d();  // google/ddpm-*
  ddpm["attention_head_dim"] = nullptr;
  ddpm["downsample_padding"] = 0;
  ddpm["flip_sin_to_cos"] = false;
  ddpm["freq_shift"] = 1;
  ddpm["norm_eps"] = 1e-6;
  ddpm["time_embedding_type"] = "positional";
  ddpm["mid_block_scale_factor"] = 1;
  const auto config = as<UNet2DConfig>(ddpm);
  CHECK_FALSE(config.attention_head_dim.has_value());  // one head as wide as the channels
  CHECK(config.downsample_padding == 0);
  CHECK_FALSE(config.flip_sin_to_cos);
  CHECK(config.freq_shift == 1);
  CHECK(config.norm_eps == 1e-6);

  Json consistency = small_2d();
  consistency["num_class_embeds"] = 1000;
  consistency["down_block_types"] = Json({"ResnetDownsampleBlock2D", "AttnDownBlock2D"});
  consistency["up_block_types"] = Json({"AttnUpBlock2D", "ResnetUpsampleBlock2D"});
  consistency["resnet_time_scale_shift"] = "scale_shift";
  consistency["attn_norm_num_groups"] = 32;
  consistency["downsample_type"] = "resnet";
  consistency["upsample_type"] = "resnet";
  const auto classes = as<UNet2DConfig>(consistency);
  CHECK(classes.class_embed_type == ClassEmbedType::kTable);
  CHECK(classes.num_class_embeds == 1000);
  CHECK(classes.down_block_types[0] == UNetBlockType::kResnet);
  CHECK(classes.resnet_time_scale_shift == TimeScaleShift::kScaleShift);
  CHECK(classes.attn_norm_num_groups == 32);
  CHECK(classes.downsample_type == ResampleType::kResnet);
}

TEST_CASE("UNet2DConditionModel: stage I") {
  const auto config = as<UNet2DConditionConfig>(small_if());
  CHECK(config.act_fn == Activation::kGelu);
  CHECK(config.addition_embed_text);
  CHECK(config.attention_head_dim == std::vector<int64_t>(4, 64));
  CHECK(config.cross_attention_dim == std::vector<int64_t>(4, 256));
  CHECK(config.cross_attention_group_norm);
  CHECK(config.encoder_hid_dim == 4096);
  CHECK(config.layers_per_block == std::vector<int64_t>(4, 3));
  CHECK(config.mid_block_type == UNetMidBlockType::kSimpleCrossAttn);
  CHECK(config.resnet_time_scale_shift == TimeScaleShift::kScaleShift);
  CHECK(config.time_embedding_dim == 256);
  CHECK_FALSE(config.time_embedding_act_fn.has_value());
  CHECK(config.only_cross_attention == std::vector<bool>(4, false));
  CHECK_FALSE(config.mid_block_only_cross_attention);
  CHECK(config.down_block_types[1] == UNetBlockType::kSimpleCrossAttn);
}

TEST_CASE("UNet2DConditionModel: stage II and lists") {
  Json json = small_if();
  json["class_embed_type"] = "timestep";
  json["time_embedding_act_fn"] = "gelu";
  json["time_embedding_dim"] = 512;
  json["resnet_skip_time_act"] = true;
  json["resnet_out_scale_factor"] = 1.4142271248762552;
  json["mid_block_scale_factor"] = 1.4142271248762552;
  json["layers_per_block"] = Json({2, 2, 3, 5});
  json["only_cross_attention"] = true;
  json["attention_head_dim"] = Json({64, 32, 64, 64});
  const auto config = as<UNet2DConditionConfig>(json);
  CHECK(config.class_embed_type == ClassEmbedType::kTimestep);
  CHECK(config.time_embedding_act_fn == Activation::kGelu);
  CHECK(config.time_embedding_dim == 512);
  CHECK(config.resnet_skip_time_act);
  CHECK(config.resnet_out_scale_factor == 1.4142271248762552);
  CHECK(config.layers_per_block == std::vector<int64_t>{2, 2, 3, 5});
  CHECK(config.only_cross_attention == std::vector<bool>(4, true));
  CHECK(config.mid_block_only_cross_attention);  // follows a single value
  json["only_cross_attention"] = Json({true, true, true, true});
  CHECK_FALSE(as<UNet2DConditionConfig>(json).mid_block_only_cross_attention);
  json["encoder_hid_dim_type"] = nullptr;  // old files: a width alone means text_proj
  CHECK(as<UNet2DConditionConfig>(json).encoder_hid_dim == 4096);
}

TEST_CASE("names of former versions and unknown keys are taken") {
  Json json = small_2d();
  json["down_block_types"] = Json({"UNetResDownBlock2D", "UNetResAttnDownBlock2D"});
  json["something_new"] = Json::object();
  CHECK(as<UNet2DConfig>(json).down_block_types[1] == UNetBlockType::kAttn);
  json["sample_size"] = Json({16, 24});
  CHECK(as<UNet2DConfig>(json).sample_size == std::array<int64_t, 2>{16, 24});
}

TEST_CASE("UNet2DModel: values that are not supported are refused with key and value") {
  const auto message = [](const char* key, const Json& value) {
    return refusal(small_2d(), key, value);
  };
  CHECK_THAT(message("_class_name", "AutoencoderKL"),
             Contains("unet/config.json: key \"_class_name\" is \"AutoencoderKL\", expected "
                      "UNet2DModel or UNet2DConditionModel"));
  CHECK_THAT(message("norm_num_groups", 0), Contains("\"norm_num_groups\" is 0, expected 1.."));
  CHECK_THAT(message("norm_num_groups", nullptr), Contains("\"norm_num_groups\" is null"));
  CHECK_THAT(message("block_out_channels", Json({33, 64})),
             Contains("\"norm_num_groups\" is 32, expected a divisor"));
  CHECK_THAT(message("block_out_channels", Json({32, 64, 64})), Contains("as many entries"));
  CHECK_THAT(message("block_out_channels", Json({int64_t{1} << 31, 64})),
             Contains("\"block_out_channels\" is [2147483648, 64], expected integers of 1..16384"));
  CHECK_THAT(message("block_out_channels", Json::array()), Contains("1..16 entries"));
  CHECK_THAT(message("block_out_channels", Json(std::vector<int>(17, 32))),
             Contains("1..16 entries"));
  CHECK_THAT(message("layers_per_block", 1'000'000'000), Contains("1..64"));
  CHECK_THAT(message("layers_per_block", 1.5), Contains("\"layers_per_block\" is 1.5"));
  CHECK_THAT(message("down_block_types", Json({"FooBlock2D", "DownBlock2D"})),
             Contains("block type \"FooBlock2D\" is not supported"));
  CHECK_THAT(message("down_block_types", Json({"SkipDownBlock2D", "DownBlock2D"})),
             Contains("block type \"SkipDownBlock2D\" is not supported"));
  CHECK_THAT(message("down_block_types", Json({"SimpleCrossAttnDownBlock2D", "DownBlock2D"})),
             Contains("no attention to a text"));
  CHECK_THAT(message("sample_size", 33),
             Contains("\"sample_size\" is 33, expected multiples of 2"));
  CHECK_THAT(message("act_fn", "tanh"), Contains("\"act_fn\" is \"tanh\", expected silu, "));
  CHECK_THAT(message("attention_head_dim", 24), Contains("a divisor of the 64 channels"));
  CHECK_THAT(message("time_embedding_type", "fourier"), Contains("\"fourier\", expected pos"));
  CHECK_THAT(message("time_embedding_type", "learned"), Contains("\"num_train_timesteps\""));
  CHECK_THAT(message("class_embed_type", "projection"), Contains("\"projection\""));
  CHECK_THAT(message("norm_eps", -1), Contains("above 0"));
  CHECK_THAT(message("freq_shift", 16), Contains("\"freq_shift\" is 16, expected below half"));
  CHECK_THAT(message("act_fn", Json::object()), Contains("\"act_fn\" is an object"));
  CHECK_THAT(message("act_fn", "a\nb"), Contains("a\\\\nb"));
}

TEST_CASE("UNet2DConditionModel: values that are not supported are refused with key and value") {
  const auto message = [](const char* key, const Json& value) {
    return refusal(small_if(), key, value);
  };
  CHECK_THAT(message("num_attention_heads", 8), Contains("is 8, expected null"));
  CHECK_THAT(message("encoder_hid_dim_type", "text_image_proj"), Contains("\"text_image_proj\""));
  CHECK_THAT(message("encoder_hid_dim", nullptr), Contains("a width for text_proj"));
  CHECK_THAT(message("addition_embed_type", "image"), Contains("expected null, text"));
  CHECK_THAT(message("addition_embed_type_num_heads", 60), Contains("width 4096"));
  CHECK_THAT(message("cross_attention_norm", "layer_norm"), Contains("\"layer_norm\""));
  CHECK_THAT(message("cross_attention_dim", 48), Contains("multiples of 32"));
  CHECK_THAT(message("timestep_post_act", "silu"), Contains("expected null"));
  CHECK_THAT(message("class_embed_type", "projection"),
             Contains("\"projection_class_embeddings_input_dim\" is absent"));
  CHECK_THAT(message("conv_in_kernel", 5), Contains("\"conv_in_kernel\" is 5"));
  CHECK_THAT(message("mid_block_type", "UNetMidBlock2DCrossAttn"),
             Contains("\"UNetMidBlock2DCrossAttn\""));
  CHECK_THAT(message("only_cross_attention", Json({true})), Contains("as many entries"));
  // Stable Diffusion, which leaves much to the defaults.
  CHECK_THAT(message_of<FormatError>([] { parse(R"({"_class_name":"UNet2DConditionModel"})"); }),
             Contains("block type \"CrossAttnDownBlock2D\" is not supported"));
}

TEST_CASE("the class may come from outside the file") {
  Json json = small_2d();
  Json without = Json::object();
  for (const auto& [key, value] : json.items()) {
    if (key != "_class_name") without[key] = value;
  }
  CHECK_NOTHROW(parse_unet_config(without, kLabel, "UNet2DModel"));
  CHECK_THAT(message_of<FormatError>([&] { parse_unet_config(without, kLabel); }),
             Contains("\"_class_name\" is absent"));
}

TEST_CASE("a config that diffusers wrote is read") {
  const std::string text = test::get_file("tests/golden/checkpoints/ddpm/unet/config.json");
  const auto config = as<UNet2DConfig>(Json::parse(text));
  CHECK(config.block_out_channels == std::vector<int64_t>{8, 16});
  CHECK(config.norm_num_groups == 4);
}

TEST_CASE("the fuzzing corpus of configs breaks no promise") {
  int inputs = 0;
  for (const auto& entry : std::filesystem::directory_iterator("tests/fuzz/corpus/unet_config")) {
    INFO(entry.path().string());
    const std::string bytes = test::get_file(entry.path().string());
    CHECK_NOTHROW(
        test::fuzz_unet_config({reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()}));
    ++inputs;
  }
  CHECK(inputs >= 8);
}

}  // namespace
}  // namespace ebb
