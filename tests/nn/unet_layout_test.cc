// The network that config.json of a diffusers UNet describes.

#include "nn/unet_layout.h"

#include "base/error.h"
#include "nn/network.h"
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
    unet_layout(json, "config.json");
  } catch (const FormatError& error) {
    return error.what();
  }
  return "accepted";
}

UnetLayout parsed(Json json, const char* key, const char* value) {
  json[key] = Json::parse(value);
  return unet_layout(json, "config.json");
}

TEST_CASE("keys that are missing have diffusers' defaults", "[nn]") {
  const UnetLayout config = unet_layout(small(), "config.json");
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
  const UnetLayout text = unet_layout(conditional(), "config.json");
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
  const UnetLayout config = unet_layout(json, "config.json");
  CHECK(config.up[0].head_width == 8);
  CHECK(config.up[1].head_width == 16);
  CHECK(config.mid_head_width == 16);
  CHECK(config.up[0].resnets == 5);
  CHECK(config.up[0].only_cross_attention);
  CHECK(!config.up[1].only_cross_attention);
  CHECK(!config.mid_only_cross_attention);
}

TEST_CASE("an old name of a block is accepted", "[nn]") {
  const UnetLayout config =
      parsed(small(), "down_block_types", R"(["UNetResDownBlock2D", "UNetResAttnDownBlock2D"])");
  CHECK(config.down[1].kind == UnetBlockKind::kAttention);
}

TEST_CASE("what no network can be made of is refused with key and value", "[nn]") {
  CHECK_THAT(refusal(small(), "sample_size", "null"),
             Catch::Matchers::Contains("config.json: key \"sample_size\" is null, expected"));
  CHECK_THAT(refusal(small(), "low_res_channels", "3"),
             Catch::Matchers::Contains("\"low_res_channels\" is 3, expected 0..2"));
  CHECK_THAT(refusal(conditional(), "text_tokens", "0"),
             Catch::Matchers::Contains("\"text_tokens\" is 0, expected 1..65536"));
  CHECK_THAT(refusal(conditional(), "cross_attention_dim", "[64, 32]"),
             Catch::Matchers::Contains("\"cross_attention_dim\" is [64, 32], expected the same"));
  Json concatenated = conditional();
  concatenated["addition_embed_type"] = "text";
  concatenated["class_embed_type"] = "identity";
  CHECK_THAT(refusal(concatenated, "class_embeddings_concat", "true"),
             Catch::Matchers::Contains("\"class_embeddings_concat\" is true, expected false"));
  Json learned = small();
  learned["time_embedding_type"] = "learned";
  learned["num_train_timesteps"] = 1000;
  CHECK_THAT(refusal(learned, "class_embed_type", "\"timestep\""),
             Catch::Matchers::Contains("\"class_embed_type\" is \"timestep\", expected another"));
  CHECK_THAT(refusal(small(), "down_block_types", R"(["DownBlock2D", "SkipDownBlock2D"])"),
             Catch::Matchers::Contains("SkipDownBlock2D"));
}

TEST_CASE("a class of diffusers that is no UNet of two dimensions is refused by name", "[nn]") {
  CHECK_THROWS_AS(make_network(R"({"_class_name": "UNet3DConditionModel"})", "x"), FormatError);
}

TEST_CASE("what a model file keeps of config.json has no keys that nobody reads", "[nn]") {
  Json json = small();
  json["attention_head_dim"] = std::vector<int64_t>{8, 16};
  const Json kept = Json::parse(unet_layout_keys(json));
  CHECK(!kept.contains("unknown"));
  CHECK(kept["attention_head_dim"] == json["attention_head_dim"]);
  CHECK(kept["_class_name"] == "UNet2DModel");
}

}  // namespace
}  // namespace ebb
