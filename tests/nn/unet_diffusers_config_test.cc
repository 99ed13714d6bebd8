// What config.json of a diffusers UNet may say, and what is refused.

#include "base/error.h"
#include "nn/network.h"
#include "nn/unet_diffusers_config.h"
#include "testing/catch.h"
#include "testing/errors.h"

namespace ebb {
namespace {

Json small() {
  return Json::parse(R"({"_class_name": "UNet2DModel", "sample_size": 32, "unknown": {"a": [1]},
    "block_out_channels": [32, 64], "down_block_types": ["DownBlock2D", "AttnDownBlock2D"],
    "up_block_types": ["AttnUpBlock2D", "UpBlock2D"]})");
}
Json conditional() {
  return Json::parse(R"({"_class_name": "UNet2DConditionModel", "sample_size": 32,
    "block_out_channels": [32, 64], "mid_block_type": "UNetMidBlock2DSimpleCrossAttn",
    "down_block_types": ["ResnetDownsampleBlock2D", "SimpleCrossAttnDownBlock2D"],
    "up_block_types": ["SimpleCrossAttnUpBlock2D", "ResnetUpsampleBlock2D"]})");
}

std::string refusal(Json json, const char* key, const char* value) {
  json[key] = Json::parse(value);
  try {
    parse_unet_diffusers(json, "config.json");
  } catch (const FormatError& error) {
    return error.what();
  }
  return "accepted";
}

UnetDiffusersConfig parsed(Json json, const char* key, const char* value) {
  json[key] = Json::parse(value);
  return parse_unet_diffusers(json, "config.json");
}

TEST_CASE("keys that are missing have diffusers' defaults", "[nn]") {
  const UnetDiffusersConfig config = parse_unet_diffusers(small(), "config.json");
  CHECK(config.in_channels == 3);
  CHECK(config.out_channels == 3);
  CHECK(config.flip_sin_to_cos);
  CHECK(config.freq_shift == 0);
  CHECK(config.norm_eps == 1e-5f);
  CHECK(config.norm_num_groups == 32);
  CHECK(config.time_channels == 128);
  CHECK(config.activation == Activation::kSilu);
  CHECK(config.downsample_padding == 1);
  CHECK(config.down[1].head_width == 8);
  CHECK(config.down[0].resnets == 2);
  CHECK(config.up[0].resnets == 3);
  CHECK(config.mid == UnetMidKind::kAttention);
  CHECK(config.mid_attention_groups == 32);
  CHECK(!config.reads_text);
  const UnetDiffusersConfig text = parse_unet_diffusers(conditional(), "config.json");
  CHECK(text.in_channels == 4);
  CHECK(text.cross_attention_dim == 1280);
  CHECK(text.text_width == 1280);
  CHECK(text.text_tokens == 77);
  CHECK(text.reads_text);
}

TEST_CASE("null is not a missing key", "[nn]") {
  CHECK(parsed(small(), "attention_head_dim", "null").down[1].head_width == 0);
  CHECK(parsed(small(), "mid_block_type", "null").mid == UnetMidKind::kNone);
  CHECK(parsed(small(), "class_embed_type", "null").class_embedding == ClassEmbedding::kNone);
  CHECK(parsed(small(), "downsample_type", "null").downsamples_by_resnet == false);
  CHECK(parsed(conditional(), "mid_block_only_cross_attention", "null").mid_only_cross_attention ==
        false);
}

TEST_CASE("the mid block of UNet2DModel may attend without a norm", "[nn]") {
  CHECK(parsed(small(), "resnet_time_scale_shift", R"("scale_shift")").mid_attention_groups == 0);
  CHECK(parsed(small(), "attn_norm_num_groups", "16").mid_attention_groups == 16);
  CHECK(parsed(small(), "add_attention", "false").mid == UnetMidKind::kResnets);
}

TEST_CASE("a list of head widths is not reversed for the way up, the other lists are", "[nn]") {
  Json json = conditional();
  json["attention_head_dim"] = std::vector<int64_t>{8, 16};
  json["layers_per_block"] = std::vector<int64_t>{1, 4};
  json["only_cross_attention"] = std::vector<bool>{false, true};
  const UnetDiffusersConfig config = parse_unet_diffusers(json, "config.json");
  CHECK(config.up[0].head_width == 8);
  CHECK(config.up[1].head_width == 16);
  CHECK(config.mid_head_width == 16);
  CHECK(config.up[0].resnets == 5);
  CHECK(config.up[0].only_cross_attention);
  CHECK(!config.up[1].only_cross_attention);
  CHECK(!config.mid_only_cross_attention);
}

TEST_CASE("an old name of a block is accepted", "[nn]") {
  const UnetDiffusersConfig config =
      parsed(small(), "down_block_types", R"(["UNetResDownBlock2D", "UNetResAttnDownBlock2D"])");
  CHECK(config.down[1].kind == UnetBlockKind::kAttention);
}

TEST_CASE("what is not supported is refused with key and value", "[nn]") {
  CHECK(refusal(small(), "act_fn", R"("elu")") ==
        "config.json: model config key \"act_fn\" is elu, which is not supported; expected silu, "
        "swish, gelu, mish, relu");
  CHECK(refusal(small(), "down_block_types", R"(["DownBlock2D", "SkipDownBlock2D"])") ==
        "config.json: model config key \"down_block_types\" is SkipDownBlock2D, which is not "
        "supported; expected DownBlock2D, AttnDownBlock2D, ResnetDownsampleBlock2D");
  CHECK(refusal(small(), "_class_name", R"("AutoencoderKL")") ==
        "config.json: model config key \"_class_name\" is \"AutoencoderKL\", expected one of "
        "UNet2DModel, UNet2DConditionModel");
  const std::pair<const char*, const char*> both[] = {
      {"sample_size", "null"},
      {"sample_size", "33"},
      {"sample_size", "[32, 32, 32]"},
      {"block_out_channels", "[32]"},
      {"block_out_channels", "32"},
      {"block_out_channels", "[32, 0]"},
      {"block_out_channels", "[33, 64]"},
      {"layers_per_block", "[1]"},
      {"norm_num_groups", "null"},
      {"norm_num_groups", "5"},
      {"norm_eps", "\"x\""},
      {"downsample_padding", "2"},
      {"freq_shift", "16"},
      {"mid_block_type", R"("UNetMidBlock2DCrossAttn")"},
      {"mid_block_scale_factor", "0"},
      {"time_embedding_type", R"("fourier")"},
      {"resnet_time_scale_shift", R"("spatial")"},
      {"class_embed_type", R"("other")"},
      {"low_res_channels", "4"},
      {"attention_head_dim", "1000"},
      {"up_block_types", R"(["UpBlock2D"])"},
      {"down_block_types", "[]"},
      {"center_input_sample", "1"},
      {"in_channels", "1e3"},
      {"down_block_types", R"("DownBlock2D")"}};
  for (const auto& [key, value] : both) {
    for (const Json& json : {small(), conditional()}) {
      CAPTURE(key, value, json["_class_name"].get<std::string>());
      const std::string message = refusal(json, key, value);
      CHECK_THAT(message, Catch::Matchers::Contains(cat("config.json: model config key \"")));
      CHECK_THAT(message, Catch::Matchers::Contains(key));
    }
  }
  const std::pair<const char*, const char*> text[] = {{"num_attention_heads", "8"},
                                                      {"encoder_hid_dim_type", R"("image_proj")"},
                                                      {"encoder_hid_dim_type", R"("text_proj")"},
                                                      {"addition_embed_type", R"("text_time")"},
                                                      {"timestep_post_act", R"("silu")"},
                                                      {"cross_attention_norm", R"("layer_norm")"},
                                                      {"cross_attention_dim", "[64, 32]"},
                                                      {"attention_head_dim", "12"},
                                                      {"class_embed_type", R"("projection")"},
                                                      {"conv_in_kernel", "4"},
                                                      {"resnet_out_scale_factor", "0"},
                                                      {"attention_head_dim", "null"},
                                                      {"only_cross_attention", "[true]"}};
  for (const auto& [key, value] : text) {
    CAPTURE(key, value);
    CHECK_THAT(refusal(conditional(), key, value), Catch::Matchers::Contains("config.json: "));
  }
}

TEST_CASE("a config of diffusers without a class it has is refused by name", "[nn]") {
  CHECK_THROWS_AS(make_network(R"({"_class_name": "UNet3DConditionModel"})", "x"), FormatError);
}

}  // namespace
}  // namespace ebb
