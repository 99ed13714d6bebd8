#include "apps/ebb/convert_original.h"

#include <filesystem>
#include <vector>

#include "base/atomic_file.h"
#include "base/error.h"
#include "base/text.h"
#include "diffusion/original_unet.h"
#include "nn/network.h"
#include "nn/unet_diffusers.h"
#include "weights/safetensors.h"

namespace ebb {
namespace {

namespace fs = std::filesystem;

AttentionOrder attention_order(const OriginalModelFlags& flags) {
  if (flags.as == "deepfloyd-if") {
    EBB_CHECK(flags.attention_order.empty(), UsageError, "--attention-order ",
              flags.attention_order, ": DeepFloyd IF has one order. Leave it out.");
    return AttentionOrder::kOld;
  }
  EBB_CHECK(!flags.attention_order.empty(), UsageError, "--as ", flags.as,
            ": needs --attention-order new or old, which the weights do not tell: new is "
            "use_new_attention_order of guided-diffusion (64x64_diffusion.pt), old its default "
            "(256x256_diffusion_uncond.pt)");
  return flags.attention_order == "new" ? AttentionOrder::kNew : AttentionOrder::kOld;
}

void prepare_directory(const OriginalModelFlags& flags) {
  const fs::path root(flags.output);
  EBB_CHECK(flags.force || !fs::exists(root), UsageError, "-o ", path_label(flags.output),
            ": is there already. Choose another directory, or replace its files with --force.");
  for (const char* part : {"unet", "scheduler"}) {
    std::error_code error;
    fs::create_directories(root / part, error);
    EBB_CHECK(!error, IoError, "-o ", path_label(flags.output), ": ", error.message(),
              ". Choose another directory.");
  }
}

void write_json(const fs::path& path, const Json& json) {
  write_file(path.string(), json.dump(2) + "\n");
}

void write_weights(const fs::path& path, WeightSource& source) {
  std::vector<std::vector<std::byte>> data;
  std::vector<TensorToSave> tensors;
  for (const TensorInfo& tensor : source.tensors()) {
    std::vector<std::byte>& bytes = data.emplace_back();
    source.stream(tensor.name, [&](std::span<const std::byte> piece) {
      bytes.insert(bytes.end(), piece.begin(), piece.end());
    });
    tensors.push_back({.name = tensor.name, .dtype = tensor.dtype, .shape = tensor.shape});
  }
  for (size_t i = 0; i < tensors.size(); ++i) tensors[i].data = data[i].data();
  source.finish();
  save_safetensors(path.string(), std::move(tensors), {{"format", "pt"}});
}

}  // namespace

void convert_original(const OriginalModelFlags& flags, std::ostream& out) {
  const AttentionOrder order = attention_order(flags);
  std::unique_ptr<WeightSource> stored = open_weights(flags.model);
  const Json config = original_unet_config(flags.as, *stored);
  const std::vector<ParamSpec> specs = list_params(unet_diffusers_network(config, stored->label()));
  const auto source = rename_original_unet(std::move(stored), specs, order,
                                           config["attention_head_dim"].get<int64_t>());
  prepare_directory(flags);
  const fs::path root(flags.output);
  write_weights(root / "unet/diffusion_pytorch_model.safetensors", *source);
  write_json(root / "unet/config.json", config);
  write_json(root / "scheduler/scheduler_config.json", original_scheduler_config(flags.as, config));
  const Json unet{"diffusers", config["_class_name"]};
  write_json(root / "model_index.json", {{"_class_name", original_pipeline_class(flags.as, config)},
                                         {"scheduler", Json{"diffusers", "DDPMScheduler"}},
                                         {"unet", unet}});
  for (const std::string& warning : source->warnings()) out << "warning: " << warning << '\n';
  out << specs.size()
      << " tensors under diffusers' names, widths by the file, blocks and schedule as " << flags.as
      << " was published\n"
      << path_label(flags.output) << '\n';
}

}  // namespace ebb
