#pragma once

#include <string>

#include "base/json.h"
#include "diffusion/objective.h"
#include "diffusion/sampling_config.h"

namespace ebb {

// scheduler_config.json of diffusers: DDPMScheduler, DDIMScheduler and the solvers on the same
// tables of noise, and CMStochasticIterativeScheduler of consistency models. Unlike diffusers,
// ebb's last step to the clean image never adds noise, also where a list of timesteps ends above 0
// and the variance is fixed_large.
struct SchedulerConfig {
  Objective objective;
  SamplingConfig sampling;
};

// Absent keys have the defaults of their class in diffusers, unknown ones are ignored. FormatError
// names `label`, the key, its value and what would be supported.
SchedulerConfig parse_scheduler_config(const Json& json, const std::string& label);

// That of DeepFloyd IF's first stage, for directories without the file.
SchedulerConfig if_scheduler_config();

}  // namespace ebb
