#include "apps/train_mnist/checkpoint.h"

#include <limits>

#include "apps/training/training_state.h"
#include "base/json.h"

namespace ebb {
namespace {

using autograd::Trainer;

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

TrainProgress parse_progress(const SafetensorsFile& file, int64_t* updates) {
  try {
    const Json json = Json::parse(checkpoint_value(file, "ebb.progress"));
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

}  // namespace

void save_checkpoint(const std::string& path, const Trainer& trainer, const TrainProgress& progress,
                     const TrainConfig& config, const RunSettings& settings,
                     const std::string& dataset_fingerprint) {
  save_training_state(
      path, trainer.params(),
      {{"ebb.model", trainer.network().config},
       {"ebb.config", to_json(config)},
       {"ebb.command", command_line(config, settings.preset)},
       {"ebb.run", to_json(settings, config)},
       {"ebb.dataset", dataset_fingerprint},
       {"ebb.progress", progress_to_json(progress, trainer.updates()).dump_sorted()}});
}

TrainProgress load_checkpoint(const std::string& path, Trainer& trainer, const TrainConfig& config,
                              const std::string& dataset_fingerprint, bool force) {
  const SafetensorsFile file = open_checkpoint(path);
  if (!force) {
    const std::string difference =
        describe_difference(to_json(config), checkpoint_value(file, "ebb.config"));
    EBB_CHECK(difference.empty(), FormatError, file.label(),
              ": belongs to another run: ", difference,
              ". Leave that flag out, or give --force-resume to continue anyway");
    const std::string data = checkpoint_value(file, "ebb.dataset");
    EBB_CHECK(data == dataset_fingerprint, FormatError, file.label(),
              ": was trained on another data set (", data, ", --data has ", dataset_fingerprint,
              "). Give the same --data, or --force-resume to continue anyway");
  }
  load_training_state(file, trainer.params());
  int64_t updates = 0;
  const TrainProgress progress = parse_progress(file, &updates);
  trainer.set_updates(updates);
  return progress;
}

}  // namespace ebb
