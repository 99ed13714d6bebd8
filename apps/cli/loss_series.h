#pragma once

#include <string>
#include <vector>

#include "diffusion/model_history.h"
#include "diffusion/train_log.h"
#include "image/plot_image.h"

namespace ebb {

// The curves of one run, for a plot: the training loss of each step and, where it was measured, the
// validation loss. `name` stands before their names; empty: they have no other.
std::vector<PlotSeries> loss_series(const std::vector<LogEntry>& log, const std::string& name);

// The same from the metadata of a model file; each point is at the middle of the steps that it is
// the mean of.
std::vector<PlotSeries> loss_series(const ModelHistory& history, const std::string& name);

}  // namespace ebb
