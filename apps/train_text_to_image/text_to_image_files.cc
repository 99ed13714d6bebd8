#include "apps/train_text_to_image/text_to_image_files.h"

#include <filesystem>

#include "base/atomic_file.h"
#include "base/errno_advice.h"
#include "base/error.h"
#include "base/json.h"
#include "base/text.h"
#include "diffusion/model_file.h"
#include "diffusion/scheduler_config.h"

namespace ebb {
namespace {

constexpr const char* kWeightsName = "diffusion_pytorch_model.safetensors";
// The version of diffusers whose files these are.
constexpr const char* kVersion = "0.42.1";

Json versioned(const char* class_name) {
  return {{"_class_name", class_name}, {"_diffusers_version", kVersion}};
}

// That of DeepFloyd IF.
Json scheduler_json() {
  Json json = versioned("DDPMScheduler");
  json["beta_schedule"] = "squaredcos_cap_v2";
  json["clip_sample"] = true;
  json["dynamic_thresholding_ratio"] = 0.95;
  json["num_train_timesteps"] = 1000;
  json["prediction_type"] = "epsilon";
  json["sample_max_value"] = 1.5;
  json["thresholding"] = true;
  json["variance_type"] = "learned_range";
  return json;
}

Json noising_json() {
  Json json = versioned("DDPMScheduler");
  json["beta_schedule"] = "squaredcos_cap_v2";
  json["num_train_timesteps"] = 1000;
  return json;
}

Json index_json(bool enlarges) {
  Json json = versioned(enlarges ? "IFSuperResolutionPipeline" : "IFPipeline");
  const Json none{nullptr, nullptr}, scheduler{"diffusers", "DDPMScheduler"};
  json["feature_extractor"] = none;
  if (enlarges) json["image_noising_scheduler"] = scheduler;
  json["requires_safety_checker"] = false;
  json["safety_checker"] = none;
  json["scheduler"] = scheduler;
  json["text_encoder"] = none;
  json["tokenizer"] = none;
  json["unet"] = Json{"diffusers", "UNet2DConditionModel"};
  json["watermarker"] = none;
  return json;
}

class ModelDirectory {
 public:
  explicit ModelDirectory(const std::string& path) : path_(path) {}

  std::string file(const std::string& part, const std::string& name) const {
    const std::filesystem::path directory = path_ / part;
    std::error_code error;
    std::filesystem::create_directories(directory, error);
    EBB_CHECK(!error, IoError, path_label(directory.string()),
              ": cannot be created: ", describe_errno(error.value()));
    return (directory / name).string();
  }
  void write(const std::string& part, const std::string& name, const Json& json) const {
    write_file(file(part, name), json.dump(2) + "\n");
  }

 private:
  std::filesystem::path path_;
};

}  // namespace

Network text_to_image_unet(const std::string& config, int64_t stage, int64_t tokens) {
  Json json = Json::parse(config);
  json["text_tokens"] = tokens;
  if (stage == 2) json["low_res_channels"] = json["in_channels"].get<int64_t>() / 2;
  return make_network(json.dump(), "the network");
}

Model text_to_image_model(const Network& unet, int64_t stage, TensorMap weights) {
  const SchedulerConfig scheduler = if_scheduler_config();
  Model model;
  model.network = unet;
  model.objective = scheduler.objective;
  model.sampling = scheduler.sampling;
  if (stage == 2) model.low_res_noise = scheduler.objective;
  model.params = std::move(weights);
  return model;
}

void write_diffusers_model(const std::string& directory, const Model& model,
                           const std::string& config, DType storage) {
  const bool enlarges = model.low_res_noise.has_value();
  const ModelDirectory files(directory);
  Json unet = Json::parse(config);
  unet["_diffusers_version"] = kVersion;
  files.write("unet", "config.json", unet);
  save_model(files.file("unet", kWeightsName), model.network, model.objective, model.params, {},
             storage);
  files.write("scheduler", "scheduler_config.json", scheduler_json());
  if (enlarges) files.write("image_noising_scheduler", "scheduler_config.json", noising_json());
  files.write("", "model_index.json", index_json(enlarges));
}

}  // namespace ebb
