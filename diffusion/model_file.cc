#include "diffusion/model_file.h"

#include <cmath>
#include <cstring>

#include "base/text.h"
#include "diffusion/stored_model.h"
#include "nn/bind.h"
#include "weights/digest.h"
#include "weights/safetensors.h"

namespace ebb {
namespace {

constexpr const char* kFormatKey = "ebb.format";
constexpr const char* kFormatVersion = "1";
constexpr const char* kModelKey = "ebb.model";
constexpr const char* kObjectiveKey = "ebb.objective";

const std::string& required(const SafetensorsFile& file, const StoredModel& stored,
                            const char* key) {
  const auto found = stored.metadata.find(key);
  EBB_CHECK(found != stored.metadata.end(), FormatError, file.label(), ": no \"", key,
            "\" in its metadata, so it is not a model file of ebb. weights/README.md says how to "
            "make one.");
  return found->second;
}

void check_format_version(const SafetensorsFile& file, const StoredModel& stored) {
  const std::string& version = required(file, stored, kFormatKey);
  EBB_CHECK(version == kFormatVersion, FormatError, file.label(), ": model format ",
            quoted(version), ", this program reads \"", kFormatVersion,
            "\". Use a newer version of ebb.");
}

std::vector<std::string> tensor_names(const SafetensorsFile& file) {
  std::vector<std::string> names;
  for (const TensorEntry& entry : file.entries()) names.push_back(entry.name);
  return names;
}

void widen(DType dtype, const std::vector<char>& bytes, std::span<float> values) {
  if (dtype == DType::kF32) {
    std::memcpy(values.data(), bytes.data(), bytes.size());
    return;
  }
  for (size_t i = 0; i < values.size(); ++i) {
    uint16_t bits = 0;
    std::memcpy(&bits, bytes.data() + 2 * i, 2);
    values[i] = dtype == DType::kF16 ? f16_to_f32(bits) : bf16_to_f32(bits);
  }
}

void read_tensor(const SafetensorsFile& file, const TensorEntry& entry, std::span<float> values,
                 std::vector<std::string>& warnings) {
  const DType dtype = file.dtype_of(entry);
  EBB_CHECK(dtype == DType::kF32 || dtype == DType::kF16 || dtype == DType::kBF16, FormatError,
            file.label(), ": tensor ", quoted(entry.name), " is ", to_string(entry.dtype),
            ", expected F32, F16 or BF16. Save the model in one of these.");
  std::vector<char> bytes(entry.bytes());
  const NonFinite found = file.read(entry, bytes.data());
  if (found.any()) warnings.push_back(non_finite_warning(file.label(), entry.name, found));
  widen(dtype, bytes, values);
}

void check_inputs(const LoadedModel& model, const std::string& label) {
  const bool timed = model.network.input(InputRole::kTime) != nullptr;
  EBB_CHECK(timed == takes_time(model.objective), FormatError, label, ": the objective ",
            to_string(model.objective.type), " goes with a network that takes ",
            timed ? "no time" : "the time", ", but this one takes ", timed ? "it" : "none",
            ". Correct \"ebb.objective\" or \"ebb.model\" in the file's metadata.");
  const Shape output = output_shape(model.network);
  const bool classifies = model.objective.type == ObjectiveType::kClassify;
  EBB_CHECK(classifies == (output.rank() == 1), FormatError, label, ": the objective ",
            to_string(model.objective.type), " goes with a network whose output is ",
            classifies ? "one number per class" : "an image", ", but this one's output is ", output,
            ". Correct \"ebb.objective\" or \"ebb.model\" in the file's metadata.");
}

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

LoadedModel load_model(Context& context, const std::string& path) {
  const SafetensorsFile file = SafetensorsFile::open(path);
  file.verify_digest();
  const StoredModel stored = stored_model(file.metadata(), tensor_names(file), file.label());
  check_format_version(file, stored);
  const std::string& config = required(file, stored, kModelKey);
  const std::string& objective = required(file, stored, kObjectiveKey);

  LoadedModel model{.path = path,
                    .sha256 = sha256_hex(file.file()),
                    .network = make_network(config, file.label()),
                    .objective = parse_objective(objective, file.label()),
                    .params = {},
                    .metadata = stored.metadata,
                    .warnings = {}};
  check_inputs(model, file.label());
  std::map<std::string, TorchTensor> tensors;
  for (const TensorEntry& entry : file.entries()) {
    const std::optional<std::string> parameter = stored.parameter(entry.name);
    if (!parameter) continue;
    tensors[*parameter] = {entry.shape, [&](std::span<float> values) {
                             read_tensor(file, entry, values, model.warnings);
                           }};
  }
  model.params = bind_params(context, list_params(model.network), tensors, file.label());
  return model;
}

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
