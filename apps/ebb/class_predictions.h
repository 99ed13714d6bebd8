#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "apps/ebb/sample_job.h"

namespace ebb {

// Classifies generated digits and prints the share that agrees with the prompt:
//   "classified upright as 6: 95.0 % (19 of 20)"
// Prints nothing for models that do not generate MNIST digits. values: [N, 28, 28].
class PredictionPrinter {
 public:
  explicit PredictionPrinter(const SampleJob& job);
  ~PredictionPrinter();
  void print(const std::string& what, std::span<const float> values, int64_t expected);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;  // null: nothing to classify
};

}  // namespace ebb
