#pragma once

#include <string>
#include <vector>

#include "apps/ebb/class_predictions.h"
#include "apps/ebb/sample_flags.h"

namespace ebb {

// Images that a command generates, and of those the ones that it writes.
struct ImageCount {
  int64_t drawn = 1;
  int64_t kept = 1;
};

// -b and --best; UsageError when they do not fit, or --gif would show what is not kept.
ImageCount count_images(const SampleFlags& flags);

// Help text of --best. `ways`: "in every view".
std::string best_help(const std::string& ways);

// Leaves of `values` [drawn, ...] the images that PredictionPrinter::keep_best() chooses, unless
// all are kept. Returns the seeds of what is left.
std::vector<uint64_t> keep_best(const ImageCount& count, uint64_t first_seed,
                                PredictionPrinter& classifier, const std::vector<Reading>& readings,
                                const std::string& ways, std::vector<float>& values);

}  // namespace ebb
