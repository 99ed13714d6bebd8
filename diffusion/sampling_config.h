#pragma once

#include <cstdint>
#include <optional>

#include "diffusion/sampler.h"
#include "diffusion/schedule.h"

namespace ebb {

// The settings of a model's own scheduler, where the model brings one.
struct SamplingConfig {
  std::optional<DdpmVariance> variance = {};
  std::optional<Thresholding> thresholding = {};
  std::optional<TimestepSpacing> spacing = {};
  int64_t steps_offset = 0;  // of kLeading

  friend bool operator==(const SamplingConfig&, const SamplingConfig&) = default;
};

}  // namespace ebb
