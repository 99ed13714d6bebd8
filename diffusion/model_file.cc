#include "diffusion/model_file.h"

#include <cmath>

#include "base/text.h"
#include "weights/safetensors.h"

namespace ebb {
namespace {

std::vector<uint16_t> to_f16(const std::string& label, const std::string& name,
                             std::span<const float> values) {
  std::vector<uint16_t> result;
  result.reserve(values.size());
  for (const float value : values) {
    result.push_back(f32_to_f16(value));
    const bool overflow = std::isfinite(value) && !std::isfinite(f16_to_f32(result.back()));
    EBB_CHECK(!overflow, UsageError, label, ": parameter ", quoted(name), " holds ", value,
              ", f16 ends at 65504. Save as f32.");
  }
  return result;
}

}  // namespace

void save_model(const std::string& path, const Network& network, const Objective& objective,
                const TensorMap& params, const std::map<std::string, std::string>& extra_metadata,
                DType storage) {
  const std::vector<ParamSpec> specs = list_params(network);
  std::vector<std::vector<float>> wide(specs.size());
  std::vector<std::vector<uint16_t>> narrow(specs.size());
  std::vector<TensorToSave> tensors;
  for (size_t i = 0; i < specs.size(); ++i) {
    const ParamSpec& spec = specs[i];
    wide[i].resize(static_cast<size_t>(spec.shape.elements()));
    engine_to_torch(spec, params.at(spec.name).to_host(), wide[i]);
    const Shape shape = torch_shape(spec);
    TensorToSave tensor{.name = spec.name,
                        .dtype = StDType::kF32,
                        .shape = {shape.begin(), shape.end()},
                        .data = wide[i].data()};
    if (storage == DType::kF16 && shape.rank() > 1) {
      narrow[i] = to_f16(path_label(path), spec.name, wide[i]);
      tensor.dtype = StDType::kF16;
      tensor.data = narrow[i].data();
    }
    tensors.push_back(std::move(tensor));
  }
  std::map<std::string, std::string> metadata{{"format", "pt"},
                                              {kFormatKey, kFormatVersion},
                                              {kModelKey, network.config},
                                              {kObjectiveKey, to_json(objective)}};
  metadata.insert(extra_metadata.begin(), extra_metadata.end());
  save_safetensors(path, std::move(tensors), metadata);
}

}  // namespace ebb
