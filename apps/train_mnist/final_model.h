#pragma once

#include <string>
#include <vector>

#include "apps/train_mnist/checkpoint.h"
#include "diffusion/train_log.h"

namespace ebb {

// Writes model.safetensors: the weights (their moving average when the run keeps one) with the
// command, the mean loss of each epoch and a thinned loss curve in the metadata. Nothing in it
// depends on how the run was carried out, so resumed and uninterrupted runs write equal files.
void write_final_model(const std::string& path, const autograd::Trainer& trainer,
                       const TrainConfig& config, Preset preset, const TrainProgress& progress,
                       int64_t steps_per_epoch, const std::vector<LogEntry>& log);

}  // namespace ebb
