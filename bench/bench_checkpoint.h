#pragma once

#include <string>

#include "bench/harness.h"

namespace ebb {

// Steps of a published network (bench/checkpoint_configs.h) with random weights, beside diffusers':
// one prediction for a batch, with text both halves of guidance.
void bench_checkpoint(const BenchFlags& flags, const std::string& config, int64_t steps,
                      bool profile);

}  // namespace ebb
