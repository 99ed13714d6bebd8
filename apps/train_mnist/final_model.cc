#include "apps/train_mnist/final_model.h"

#include <algorithm>

#include "base/json.h"
#include "diffusion/model_file.h"

namespace ebb {
namespace {

constexpr size_t kCurvePoints = 200;

// Mean losses of consecutive groups of steps: {"steps_per_point": n, "loss": [...]}.
Json loss_curve(const std::vector<LogEntry>& log) {
  const size_t group = std::max<size_t>(1, (log.size() + kCurvePoints - 1) / kCurvePoints);
  Json points = Json::array();
  for (size_t first = 0; first < log.size(); first += group) {
    const size_t last = std::min(first + group, log.size());
    double sum = 0;
    for (size_t i = first; i < last; ++i) sum += log[i].loss;
    points.push_back(static_cast<float>(sum / static_cast<double>(last - first)));
  }
  return {{"steps_per_point", group}, {"loss", points}};
}

}  // namespace

void write_final_model(const std::string& path, const autograd::Trainer& trainer,
                       const TrainConfig& config, Preset preset, const TrainProgress& progress,
                       int64_t steps_per_epoch, const std::vector<LogEntry>& log) {
  const autograd::ParamStore& params = trainer.params();
  Json training{{"steps", progress.step},
                {"epoch_losses", progress.epoch_losses},
                {"loss_curve", loss_curve(log)},
                {"weights", params.has_ema() ? "moving average" : "last step"}};
  if (!progress.test_accuracies.empty()) training["test_accuracies"] = progress.test_accuracies;
  if (!progress.validation_losses.empty()) {
    training["validation_losses"] = progress.validation_losses;
    training["steps_per_epoch"] = steps_per_epoch;
  }
  save_model(path, trainer.network(), config.objective, params.final_weights(),
             {{"ebb.command", command_line(config, preset)},
              {"ebb.seed", std::to_string(config.seed)},
              {"ebb.training", training.dump_sorted()}},
             DType::kF32);
}

}  // namespace ebb
