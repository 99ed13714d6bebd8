#include "diffusion/diffusers_model.h"

#include "base/text.h"
#include "diffusion/bind_params.h"
#include "diffusion/memory_needs.h"
#include "diffusion/scheduler_config.h"
#include "nn/unet_diffusers.h"
#include "weights/diffusers_directory.h"
#include "weights/json_file.h"
#include "weights/weight_files.h"

namespace ebb {
namespace {

// Half the channels in of a network that enlarges images, which no key says: it makes images of the
// other half, with or without a code of the variance, which only one that is told how noisy the
// smaller image is has as many of. 0 for other networks.
int64_t low_res_channels(const Json& config) {
  const auto number = [&](const char* key) {
    const bool is_there = config.contains(key) && config[key].is_number_integer();
    return is_there ? config[key].get<int64_t>() : 0;
  };
  const int64_t in = number("in_channels"), out = number("out_channels");
  const bool is_timed = config.value("class_embed_type", Json()) == "timestep";
  const bool enlarges = in > 0 && in % 2 == 0 && (out == in / 2 || (out == in && is_timed));
  return enlarges ? in / 2 : 0;
}

Network read_network(const DiffusersComponent& unet) {
  EBB_CHECK(!unet.config_path.empty(), FormatError, path_label(unet.directory),
            ": has no config.json, which says what network its weights are of. Download it, too.");
  Json config = read_json_file(unet.config_path);
  if (!config.contains("_class_name")) config["_class_name"] = unet.class_name;
  const int64_t low_res = low_res_channels(config);
  if (low_res > 0) config["low_res_channels"] = low_res;
  return unet_diffusers_network(config, path_label(unet.config_path));
}

// The network to run. karlo has none for images of its own that ebb could run: its decoder reads
// what CLIP makes of images.
const DiffusersComponent& unet_of(const DiffusersDirectory& directory) {
  const DiffusersComponent* enlarges = directory.find("super_res_first");
  const bool is_karlo = enlarges != nullptr && directory.find("unet") == nullptr;
  return is_karlo ? directory.require("super_res_first") : directory.require("unet");
}

SchedulerConfig read_scheduler(const DiffusersDirectory& directory) {
  for (const char* name : {"scheduler", "super_res_scheduler"}) {
    const DiffusersComponent* scheduler = directory.find(name);
    if (scheduler == nullptr || scheduler->config_path.empty()) continue;
    return parse_scheduler_config(read_json_file(scheduler->config_path),
                                  path_label(scheduler->config_path));
  }
  EBB_CHECK(directory.pipeline_class.starts_with("IF"), FormatError, path_label(directory.path),
            ": has no scheduler_config.json, so its table of noise is not known. Download it, or "
            "name the directory of the whole model.");
  return if_scheduler_config();
}

// Noise of a model that enlarges images; DeepFloyd IF's where the directory does not say.
Objective read_low_res_noise(const DiffusersDirectory& directory) {
  const DiffusersComponent* noising = directory.find("image_noising_scheduler");
  if (noising == nullptr || noising->config_path.empty()) return if_scheduler_config().objective;
  return parse_scheduler_config(read_json_file(noising->config_path),
                                path_label(noising->config_path))
      .objective;
}

void read_schedulers(const DiffusersDirectory& directory, Model& model) {
  const SchedulerConfig scheduler = read_scheduler(directory);
  model.objective = scheduler.objective;
  model.sampling = scheduler.sampling;
  if (model.network.input(InputRole::kLowRes) != nullptr) {
    model.low_res_noise = read_low_res_noise(directory);
  }
}

void read_params(Context& context, const DiffusersComponent& unet, const std::string& variant,
                 Model& model) {
  const WeightFiles files = find_weight_files(unet.directory, variant);
  const std::unique_ptr<WeightSource> source = open_weights(files.path);
  const NameMap names = [](std::string_view stored) -> std::optional<std::string> {
    return unet_diffusers_name(stored);
  };
  BoundParams bound = bind_params(
      context, list_params(model.network), *source, names,
      [&](const auto& types) { check_memory(context, model.network, types, source->label()); });
  model.params = std::move(bound.params);
  model.warnings = source->warnings();
  model.warnings.insert(model.warnings.end(), files.notes.begin(), files.notes.end());
  model.warnings.insert(model.warnings.end(), bound.warnings.begin(), bound.warnings.end());
  model.sha256 = source->finish();
}

}  // namespace

std::string diffusers_model_sha256(const std::string& path, const std::string& variant) {
  const DiffusersDirectory directory = read_diffusers_directory(path);
  return open_weights(find_weight_files(unet_of(directory).directory, variant).path)->finish();
}

bool is_diffusers_model(const std::string& path) { return is_diffusers_directory(path); }

Network diffusers_network(const std::string& path) {
  const DiffusersDirectory directory = read_diffusers_directory(path);
  return read_network(unet_of(directory));
}

Model load_diffusers_model(Context& context, const std::string& path, const std::string& variant) {
  const DiffusersDirectory directory = read_diffusers_directory(path);
  const DiffusersComponent& unet = unet_of(directory);
  Model model{.path = path, .network = read_network(unet)};
  read_schedulers(directory, model);
  read_params(context, unet, variant, model);
  return model;
}

Model load_diffusers_unet(Context& context, const std::string& path, const std::string& variant) {
  const DiffusersDirectory directory = read_diffusers_directory(path);
  const DiffusersComponent& unet = unet_of(directory);
  Model model{.path = path, .network = read_network(unet)};
  read_params(context, unet, variant, model);
  return model;
}

}  // namespace ebb
