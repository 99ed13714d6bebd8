#include "apps/train_mnist/checkpoint.h"

#include <limits>

#include "base/json.h"
#include "weights/safetensors.h"

namespace ebb {
namespace {

using autograd::ParamStore;
using autograd::Trainer;
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

// JSON has no NaN: null stands for it.
std::vector<double> parse_losses(const Json& json) {
  std::vector<double> losses;
  for (const Json& loss : json) {
    losses.push_back(loss.is_null() ? std::numeric_limits<double>::quiet_NaN()
                                    : loss.get<double>());
  }
  return losses;
}

Json progress_to_json(const TrainProgress& progress, int64_t updates) {
  Json json{{"step", progress.step},
            {"updates", updates},
            {"loss_sum", progress.loss_sum},
            {"loss_count", progress.loss_count},
            {"epoch_losses", progress.epoch_losses}};
  if (!progress.test_accuracies.empty()) json["test_accuracies"] = progress.test_accuracies;
  if (!progress.validation_losses.empty()) json["validation_losses"] = progress.validation_losses;
  return json;
}

std::string metadata_value(const SafetensorsFile& file, const std::string& key) {
  const auto found = file.metadata().find(key);
  EBB_CHECK(found != file.metadata().end(), FormatError, file.label(),
            ": not a training checkpoint of ebb (metadata key \"", key,
            "\" is missing). Give a checkpoint-*.safetensors of train_mnist");
  return found->second;
}

TrainProgress parse_progress(const SafetensorsFile& file, int64_t* updates) {
  try {
    const Json json = Json::parse(metadata_value(file, "ebb.progress"));
    *updates = json.at("updates").get<int64_t>();
    return {.step = json.at("step").get<int64_t>(),
            .loss_sum = json.at("loss_sum").get<double>(),
            .loss_count = json.at("loss_count").get<int64_t>(),
            .epoch_losses = parse_losses(json.at("epoch_losses")),
            .test_accuracies = parse_losses(json.value("test_accuracies", Json::array())),
            .validation_losses = parse_losses(json.value("validation_losses", Json::array()))};
  } catch (const Json::exception& error) {
    throw FormatError(
        cat(file.label(), ": metadata key \"ebb.progress\" is damaged: ", error.what()));
  }
}

SafetensorsFile open_checkpoint(const std::string& path) {
  SafetensorsFile file = SafetensorsFile::open(path);
  const std::string kind = metadata_value(file, "ebb.kind");
  EBB_CHECK(kind == kKind, FormatError, file.label(), ": is a ", kind, ", expected a ", kKind);
  const std::string format = metadata_value(file, "ebb.format");
  EBB_CHECK(format == kFormat, FormatError, file.label(), ": checkpoint format ", format,
            ", this program reads ", kFormat, ". Use the version of ebb that wrote it");
  EBB_CHECK(file.verify_digest(), FormatError, file.label(), ": has no digest");
  return file;
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

void save_checkpoint(const std::string& path, const Trainer& trainer, const TrainProgress& progress,
                     const TrainConfig& config, const RunSettings& settings,
                     const std::string& dataset_fingerprint) {
  const std::vector<SavedTensor> state = state_of(trainer.params());
  std::vector<std::vector<float>> storage;
  std::vector<TensorToSave> tensors;
  for (const SavedTensor& saved : state) {
    const std::vector<float> engine = saved.tensor.to_host();
    storage.emplace_back(engine.size());
    engine_to_torch(*saved.spec, engine, storage.back());
    tensors.push_back({saved.name, StDType::kF32, file_shape(*saved.spec), storage.back().data()});
  }
  save_safetensors(path, std::move(tensors),
                   {{"format", "pt"},
                    {"ebb.kind", kKind},
                    {"ebb.format", kFormat},
                    {"ebb.model", trainer.network().config},
                    {"ebb.config", to_json(config)},
                    {"ebb.command", command_line(config, settings.preset)},
                    {"ebb.run", to_json(settings, config)},
                    {"ebb.dataset", dataset_fingerprint},
                    {"ebb.progress", progress_to_json(progress, trainer.updates()).dump_sorted()}});
}

void check_checkpoint(const std::string& path) { open_checkpoint(path); }

bool is_checkpoint(const std::string& path) {
  try {
    return metadata_value(SafetensorsFile::open(path), "ebb.kind") == kKind;
  } catch (const Error&) {
    return false;
  }
}

TrainProgress load_checkpoint(const std::string& path, Trainer& trainer, const TrainConfig& config,
                              const std::string& dataset_fingerprint, bool force) {
  const SafetensorsFile file = open_checkpoint(path);
  if (!force) {
    const std::string difference =
        describe_difference(to_json(config), metadata_value(file, "ebb.config"));
    EBB_CHECK(difference.empty(), FormatError, file.label(),
              ": belongs to another run: ", difference,
              ". Leave that flag out, or give --force-resume to continue anyway");
    const std::string data = metadata_value(file, "ebb.dataset");
    EBB_CHECK(data == dataset_fingerprint, FormatError, file.label(),
              ": was trained on another data set (", data, ", --data has ", dataset_fingerprint,
              "). Give the same --data, or --force-resume to continue anyway");
  }
  for (const SavedTensor& saved : state_of(trainer.params())) load_tensor(file, saved);
  int64_t updates = 0;
  const TrainProgress progress = parse_progress(file, &updates);
  trainer.set_updates(updates);
  return progress;
}

}  // namespace ebb
