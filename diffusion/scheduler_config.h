#pragma once

#include <string>

#include "base/json.h"
#include "diffusion/objective.h"
#include "diffusion/sampling_config.h"

namespace ebb {

// scheduler_config.json of diffusers: DDPMScheduler, DDIMScheduler and the solvers on the same
// tables of noise.
struct SchedulerConfig {
  Objective objective;
  SamplingConfig sampling;
};

// Absent keys have diffusers' defaults, unknown ones are ignored. FormatError names `label`, the
// key, its value and what would be supported.
SchedulerConfig parse_scheduler_config(const Json& json, const std::string& label);

// That of DeepFloyd IF's first stage, for directories without the file.
SchedulerConfig if_scheduler_config();

}  // namespace ebb
