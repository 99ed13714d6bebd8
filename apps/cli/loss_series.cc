#include "apps/cli/loss_series.h"

#include <algorithm>
#include <cstdint>

#include "base/text.h"

namespace ebb {
namespace {

// Training alone is called by the name of the run.
std::vector<PlotSeries> with_names(PlotSeries training, PlotSeries validation,
                                   const std::string& name) {
  training.label = name.empty() ? "training loss" : name;
  validation.label = name.empty() ? "validation loss" : name + ", validation";
  std::vector<PlotSeries> series{std::move(training)};
  if (!validation.x.empty()) series.push_back(std::move(validation));
  return series;
}

}  // namespace

std::vector<PlotSeries> loss_series(const std::vector<LogEntry>& log, const std::string& name) {
  PlotSeries training, validation;
  for (const LogEntry& entry : log) {
    const auto step = static_cast<double>(entry.step);
    training.x.push_back(step);
    training.y.push_back(entry.loss);
    if (!entry.validation_loss) continue;
    validation.x.push_back(step);
    validation.y.push_back(*entry.validation_loss);
  }
  return with_names(std::move(training), std::move(validation), name);
}

std::vector<PlotSeries> loss_series(const ModelHistory& history, const std::string& name) {
  PlotSeries training, validation;
  const auto group = static_cast<double>(std::max<int64_t>(history.steps_per_point, 1));
  for (size_t i = 0; i < history.losses.size(); ++i) {
    training.x.push_back((static_cast<double>(i) + 0.5) * group);
    training.y.push_back(history.losses[i]);
  }
  double step = 0;
  for (const double loss : history.validation_losses) {
    step += static_cast<double>(history.steps_per_epoch);
    validation.x.push_back(step);
    validation.y.push_back(loss);
  }
  return with_names(std::move(training), std::move(validation), name);
}

}  // namespace ebb
