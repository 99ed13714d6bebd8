#include "diffusion/original_unet.h"

#include "base/error.h"
#include "nn/network.h"
#include "nn/unet_diffusers.h"
#include "testing/catch.h"
#include "testing/errors.h"
#include "weights/digest.h"

namespace ebb {
namespace {

using Catch::Matchers::Contains;

// A small network of diffusers under its authors' names.
struct Golden {
  std::unique_ptr<WeightSource> source;
  std::vector<ParamSpec> specs;
  AttentionOrder order;
  int64_t head_width;

  explicit Golden(const std::string& name)
      : source(open_weights("tests/golden/original_names/" + name + ".safetensors")) {
    const auto& metadata = source->metadata();
    specs = list_params(unet_diffusers_network(Json::parse(metadata.at("config")), name));
    order = metadata.at("order") == "new" ? AttentionOrder::kNew : AttentionOrder::kOld;
    head_width = Json::parse(metadata.at("head_width")).get<int64_t>();
  }
};

std::string digest_of(WeightSource& source, const std::string& name) {
  Sha256 sha;
  source.stream(name,
                [&](std::span<const std::byte> piece) { sha.update(piece.data(), piece.size()); });
  return sha.finish();
}

TEST_CASE("weights under their authors' names are those of diffusers") {
  for (const char* name : {"deepfloyd", "guided_new", "guided_old"}) {
    INFO(name);
    Golden golden(name);
    const Json expected = Json::parse(golden.source->metadata().at("diffusers"));
    const auto renamed = rename_original_unet(std::move(golden.source), golden.specs, golden.order,
                                              golden.head_width);
    REQUIRE(renamed->tensors().size() == expected.size());
    for (const TensorInfo& tensor : renamed->tensors()) {
      INFO(tensor.name);
      CHECK(digest_of(*renamed, tensor.name) == expected[tensor.name].get<std::string>());
    }
  }
}

TEST_CASE("the other order of rows gives other weights") {
  Golden golden("guided_new");
  const Json expected = Json::parse(golden.source->metadata().at("diffusers"));
  const auto renamed = rename_original_unet(std::move(golden.source), golden.specs,
                                            AttentionOrder::kOld, golden.head_width);
  const std::string name = "mid_block.attentions.0.to_k.weight";
  CHECK(digest_of(*renamed, name) != expected[name].get<std::string>());
}

TEST_CASE("a network of another structure is refused with the tensor") {
  Golden theirs("guided_new"), deeper("deepfloyd");
  CHECK_THAT(
      test::message_of<FormatError>([&] {
        rename_original_unet(std::move(theirs.source), deeper.specs, AttentionOrder::kNew, 8);
      }),
      Contains("guided_new.safetensors: ") && Contains("Use the --as that the file was made"));
}

TEST_CASE("files of other networks are refused") {
  const Golden narrow("deepfloyd");
  CHECK_THAT(
      test::message_of<FormatError>([&] { original_unet_config("deepfloyd-if", *narrow.source); }),
      Contains("makes 16 channels, expected a multiple of 32"));
  const Golden guided("guided_old");
  CHECK_THAT(
      test::message_of<FormatError>([&] { original_unet_config("deepfloyd-if", *guided.source); }),
      Contains("has no tensor \"encoder_proj.weight\""));
}

// Tensors of these names and shapes, without elements.
class Shapes final : public WeightSource {
 public:
  explicit Shapes(const std::map<std::string, std::vector<uint64_t>>& shapes) {
    for (const auto& [name, shape] : shapes) {
      tensors_.push_back({.name = name, .dtype = StDType::kF16, .shape = shape});
    }
  }
  const std::string& path() const override { return path_; }
  const std::string& label() const override { return path_; }
  const std::map<std::string, std::string>& metadata() const override { return metadata_; }
  const std::vector<TensorInfo>& tensors() const override { return tensors_; }
  NonFinite stream(std::string_view, const Sink&) override { return {}; }
  std::string finish() override { return ""; }

 private:
  std::string path_ = "shapes";
  std::map<std::string, std::string> metadata_;
  std::vector<TensorInfo> tensors_;
};

TEST_CASE("configs take their widths from the tensors") {
  std::map<std::string, std::vector<uint64_t>> shapes{{"input_blocks.0.0.weight", {192, 3, 3, 3}},
                                                      {"out.2.weight", {6, 192, 3, 3}},
                                                      {"encoder_proj.weight", {768, 4096}},
                                                      {"label_emb.weight", {1000, 768}}};
  const Json config = original_unet_config("deepfloyd-if", Shapes(shapes));
  CHECK(config["block_out_channels"] == Json{192, 384, 576, 768});
  CHECK(config["cross_attention_dim"] == 768);
  CHECK(config["encoder_hid_dim"] == 4096);
  CHECK(config["out_channels"] == 6);
  CHECK(original_pipeline_class("deepfloyd-if", config) == "IFPipeline");
  CHECK(original_scheduler_config("deepfloyd-if", config)["sample_max_value"] == 1.5);
  // The published number of parameters.
  CHECK(count_trainable(list_params(unet_diffusers_network(config, "test"))) == 371605830);

  const Json classes = original_unet_config("guided-diffusion-64", Shapes(shapes));
  CHECK(classes["num_class_embeds"] == 1000);
  CHECK(original_scheduler_config("guided-diffusion-64", classes)["beta_schedule"] ==
        "squaredcos_cap_v2");

  shapes["input_blocks.0.0.weight"] = {160, 6, 3, 3};
  shapes["encoder_proj.weight"] = {1280, 4096};
  shapes["aug_proj.0.weight"] = {1280, 160};
  shapes["time_embed.2.weight"] = {1280, 1280};
  const Json second = original_unet_config("deepfloyd-if", Shapes(shapes));
  CHECK(original_pipeline_class("deepfloyd-if", second) == "IFSuperResolutionPipeline");
  CHECK(count_trainable(list_params(unet_diffusers_network(second, "test"))) == 1243277190);

  shapes["input_blocks.0.0.weight"] = {256, 3, 3, 3};
  const Json large = original_unet_config("guided-diffusion-256", Shapes(shapes));
  CHECK(large["block_out_channels"] == Json{256, 256, 512, 512, 1024, 1024});
  CHECK(original_scheduler_config("guided-diffusion-256", large)["beta_schedule"] == "linear");
}

}  // namespace
}  // namespace ebb
