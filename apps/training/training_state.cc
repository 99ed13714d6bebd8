#include "apps/training/training_state.h"

#include <vector>

namespace ebb {
namespace {

using autograd::ParamStore;
constexpr const char* kKind = "training checkpoint";
constexpr const char* kFormat = "1";

struct SavedTensor {
  std::string name;  // in the file
  const ParamSpec* spec;
  Tensor tensor;  // a view of the store, engine layout
};

// Everything a checkpoint holds, in one list for saving and loading.
std::vector<SavedTensor> state_of(const ParamStore& params) {
  std::vector<SavedTensor> saved;
  const auto add = [&](const std::string& prefix, const TensorMap& views, bool trainable_only) {
    for (const ParamSpec& spec : params.specs()) {
      if (spec.info.trainable || !trainable_only) {
        saved.push_back({prefix + spec.name, &spec, views.at(spec.name)});
      }
    }
  };
  add("", params.weights(), false);
  if (params.has_ema()) add("ema.", params.ema_weights(), false);
  add("adam_m.", params.views_of(params.first_moments(), params.buffers()), true);
  add("adam_v.", params.views_of(params.second_moments(), params.buffers()), true);
  return saved;
}

std::vector<uint64_t> file_shape(const ParamSpec& spec) {
  const Shape shape = torch_shape(spec);
  return {shape.begin(), shape.end()};
}

void load_tensor(const SafetensorsFile& file, const SavedTensor& saved) {
  const TensorEntry* entry = file.find(saved.name);
  EBB_CHECK(entry != nullptr, FormatError, file.label(), ": tensor \"", saved.name,
            "\" is missing");
  EBB_CHECK(entry->dtype == StDType::kF32 && entry->shape == file_shape(*saved.spec), FormatError,
            file.label(), ": tensor \"", saved.name, "\" is ", to_string(entry->dtype),
            " of another shape, expected F32 ", torch_shape(*saved.spec));
  std::vector<float> torch(static_cast<size_t>(saved.spec->shape.elements()));
  std::vector<float> engine(torch.size());
  file.read(*entry, torch.data());
  torch_to_engine(*saved.spec, torch, engine);
  saved.tensor.copy_from_host(engine);
}

}  // namespace

std::string checkpoint_value(const SafetensorsFile& file, const std::string& key) {
  const auto found = file.metadata().find(key);
  EBB_CHECK(found != file.metadata().end(), FormatError, file.label(),
            ": not a training checkpoint of ebb (metadata key \"", key,
            "\" is missing). Give a checkpoint-*.safetensors of the training program");
  return found->second;
}

SafetensorsFile open_checkpoint(const std::string& path) {
  SafetensorsFile file = SafetensorsFile::open(path);
  const std::string kind = checkpoint_value(file, "ebb.kind");
  EBB_CHECK(kind == kKind, FormatError, file.label(), ": is a ", kind, ", expected a ", kKind);
  const std::string format = checkpoint_value(file, "ebb.format");
  EBB_CHECK(format == kFormat, FormatError, file.label(), ": checkpoint format ", format,
            ", this program reads ", kFormat, ". Use the version of ebb that wrote it");
  EBB_CHECK(file.verify_digest(), FormatError, file.label(), ": has no digest");
  return file;
}

void save_training_state(const std::string& path, const ParamStore& params,
                         const std::map<std::string, std::string>& metadata) {
  const std::vector<SavedTensor> state = state_of(params);
  std::vector<std::vector<float>> storage;
  std::vector<TensorToSave> tensors;
  for (const SavedTensor& saved : state) {
    const std::vector<float> engine = saved.tensor.to_host();
    storage.emplace_back(engine.size());
    engine_to_torch(*saved.spec, engine, storage.back());
    tensors.push_back({saved.name, StDType::kF32, file_shape(*saved.spec), storage.back().data()});
  }
  std::map<std::string, std::string> all{
      {"format", "pt"}, {"ebb.kind", kKind}, {"ebb.format", kFormat}};
  all.insert(metadata.begin(), metadata.end());
  save_safetensors(path, std::move(tensors), all);
}

void check_checkpoint(const std::string& path) { open_checkpoint(path); }

bool is_checkpoint(const std::string& path) {
  try {
    return checkpoint_value(SafetensorsFile::open(path), "ebb.kind") == kKind;
  } catch (const Error&) {
    return false;
  }
}

void load_training_state(const SafetensorsFile& file, const ParamStore& params) {
  for (const SavedTensor& saved : state_of(params)) load_tensor(file, saved);
}

}  // namespace ebb
